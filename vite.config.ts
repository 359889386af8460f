import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

/** The page. Absolute addresses: both doors (studio://app/ and http://127.0.0.1) serve it at their root. */
export default defineConfig({
  root: 'renderer',
  base: '/',
  plugins: [vue()],
  publicDir: 'public',
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  build: {
    outDir: '../out/renderer',
    emptyOutDir: true,
    // The oldest page runtime that is tested (Electron 22); also what compiles oklch() colours down.
    target: 'chrome108',
    cssTarget: 'chrome108',
    // Inlined files would need `data:` in the content security policy of fonts and scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2_000,
  },
})

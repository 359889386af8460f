/** The one origin of the page in the desktop app. */
export const scheme = 'studio'
export const origin = 'studio://app'
export const homeAddress = `${origin}/`

/** `URL.canParse` is younger than the oldest runtime the shell is tested on. */
function parse(address: string): URL | null {
  try {
    return new URL(address)
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

/** Whether an address belongs to the page. Parsed, never compared by prefix: `studio://app.evil/` must not pass. */
export function isOurs(address: string): boolean {
  const url = parse(address)
  return url?.protocol === `${scheme}:` && url.host === 'app' && url.username === '' && url.password === ''
}

/** Web pages that Kestrel may open in the browser: where its parts and backbones are documented. */
const outsideHosts = new Set([
  'github.com',
  'huggingface.co',
  'keras.io',
  'onnx.ai',
  'onnxruntime.ai',
  'www.tensorflow.org',
  'arxiv.org',
  'scikit-learn.org',
  'en.wikipedia.org',
])

/** @returns the address in its normal form when it is https and on the list, else null. */
export function allowedOutside(address: string): string | null {
  const url = parse(address)
  if (!url) return null
  const plain = url.protocol === 'https:' && url.username === '' && url.password === '' && url.port === ''
  return plain && outsideHosts.has(url.hostname) ? url.href : null
}

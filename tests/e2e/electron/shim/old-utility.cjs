'use strict'
// Starts an ES module in a utility process of Electron 22, which takes CommonJS only.
const { pathToFileURL } = require('node:url')

import(pathToFileURL(process.argv.at(-1)).href).catch((error) => {
  console.error(error)
  process.exit(1)
})

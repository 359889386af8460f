'use strict'
// Runs in the page's isolated world before the app's preload: what webUtils does today, `File.path` did in Electron 22.
const electron = require('electron')

if (!electron.webUtils) electron.webUtils = { getPathForFile: (file) => file.path ?? '' }

/** Whether a window can be opened here: always on Windows and macOS, with X11 or Wayland elsewhere. */
export const canOpenWindows = (): boolean =>
  process.platform === 'win32' ||
  process.platform === 'darwin' ||
  Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY'])

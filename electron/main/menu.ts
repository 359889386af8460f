import { Menu, app } from 'electron'
import type { MenuItemConstructorOptions } from 'electron'
import type { DesktopEvent } from '#shared/contract/desktop.ts'

type Command = Extract<DesktopEvent, { type: 'menu' }>['command']

/** The standard menus of the platform, and the few entries of ours that the page acts on. */
export function installMenu(send: (command: Command) => void, showLogs: () => void): void {
  const entry = (label: string, command: Command, accelerator?: string): MenuItemConstructorOptions => ({
    label,
    ...(accelerator === undefined ? {} : { accelerator }),
    click: () => send(command),
  })
  const mac = process.platform === 'darwin'
  const settings = entry('Settings…', 'settings', 'CmdOrCtrl+,')
  const template: MenuItemConstructorOptions[] = [
    ...(mac
      ? [
          {
            role: 'appMenu',
            submenu: [
              { role: 'about' },
              { type: 'separator' },
              settings,
              { type: 'separator' },
              { role: 'services' },
              { type: 'separator' },
              { role: 'hide' },
              { role: 'hideOthers' },
              { role: 'unhide' },
              { type: 'separator' },
              { role: 'quit' },
            ],
          } satisfies MenuItemConstructorOptions,
        ]
      : []),
    {
      label: '&File',
      submenu: [
        entry('New project…', 'new-project', 'CmdOrCtrl+N'),
        entry('Open project…', 'open-project', 'CmdOrCtrl+O'),
        { type: 'separator' },
        ...(mac ? [{ role: 'close' } as const] : [settings, { role: 'quit' } as const]),
      ],
    },
    { role: 'editMenu' },
    {
      label: '&View',
      submenu: [
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
        ...(app.isPackaged ? [] : [{ role: 'reload' } as const, { role: 'toggleDevTools' } as const]),
      ],
    },
    { role: 'windowMenu' },
    {
      role: 'help',
      submenu: [entry('Keys', 'keys'), { label: 'Show the logs', click: showLogs }],
    },
  ]
  Menu.setApplicationMenu(Menu.buildFromTemplate(template))
}

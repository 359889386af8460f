import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DesktopEvent, KestrelDesktop } from '#shared/contract/desktop.ts'
import { closeDisplay, launch, launchInVain, standInApp } from './launcher.ts'
import type { LaunchedApp } from './launcher.ts'
import { withContents } from '../../helpers/folders.ts'

declare global {
  interface Window {
    kestrelDesktop?: KestrelDesktop
    events?: DesktopEvent[]
  }
}

const fetchText = (
  page: Page,
  address: string,
  init?: { method?: string; headers?: Record<string, string> },
) =>
  page.evaluate(
    async ([url, options]) => {
      const response = await fetch(url, options)
      return { status: response.status, text: await response.text() }
    },
    [address, init] as const,
  )

describe('the desktop shell, with a stand-in studio', () => {
  const appFolder = standInApp()
  let kestrel: LaunchedApp
  let page: Page

  beforeAll(async () => {
    kestrel = await launch({ appFolder, flags: ['--use-fake-device-for-media-stream'] })
    page = kestrel.page
    await page.waitForSelector('h1')
  })
  afterAll(async () => {
    await kestrel.close()
    for (const folder of [appFolder, kestrel.home]) rmSync(folder, withContents)
    closeDisplay()
  })

  it('shows the page of the studio under its own scheme', async () => {
    expect(page.url()).toBe('studio://app/')
    expect(await page.textContent('h1')).toBe('Kestrel stands in')
  })

  it('gives the page no Node and only the named native calls', async () => {
    const seen = await page.evaluate(() => ({
      node: typeof (globalThis as { require?: unknown }).require,
      process: typeof (globalThis as { process?: unknown }).process,
      calls: Object.keys(window.kestrelDesktop ?? {}).sort(),
    }))
    expect(seen).toEqual({
      node: 'undefined',
      process: 'undefined',
      calls: [
        'appInfo',
        'checkForUpdates',
        'choose',
        'installUpdate',
        'onEvent',
        'openExternal',
        'reveal',
        'setTheme',
        'sourcesFromFiles',
      ],
    })
  })

  it('says what it is and that this copy does not look for updates', async () => {
    const info = await page.evaluate(() => window.kestrelDesktop?.appInfo())
    expect(info).toMatchObject({ packaged: false, update: { state: 'off' } })
    expect(info?.version).toMatch(/^\d+\.\d+\.\d+$/)
  })

  it('refuses calls whose arguments do not fit', async () => {
    const answers = await page.evaluate(async () => {
      const attempts: Promise<unknown>[] = [
        window.kestrelDesktop!.setTheme('pink' as 'dark'),
        window.kestrelDesktop!.reveal({ what: 'path', path: '/etc' } as never),
        window.kestrelDesktop!.choose({ kind: 'anything' } as never),
        window.kestrelDesktop!.installUpdate(),
        window.kestrelDesktop!.openExternal('file:///etc/passwd'),
        window.kestrelDesktop!.openExternal('https://example.com/'),
        window.kestrelDesktop!.openExternal('https://github.com.example.com/'),
      ]
      return (await Promise.allSettled(attempts)).map((one) =>
        one.status === 'rejected'
          ? /"code":"([^"]+)"/.exec(String((one.reason as Error).message))?.[1]
          : 'accepted',
      )
    })
    expect(answers).toEqual([
      'bad-request',
      'bad-request',
      'bad-request',
      'not-found',
      'forbidden',
      'forbidden',
      'forbidden',
    ])
  })

  it('grants the camera to its page, without the microphone', async () => {
    const tracks = await page.evaluate(async () => {
      const stream = await navigator.mediaDevices.getUserMedia({ video: true })
      const kinds = stream.getTracks().map((track) => track.kind)
      for (const track of stream.getTracks()) track.stop()
      const both = await navigator.mediaDevices.getUserMedia({ video: true, audio: true }).then(
        () => 'granted',
        () => 'refused',
      )
      return { kinds, both }
    })
    expect(tracks).toEqual({ kinds: ['video'], both: 'refused' })
  })

  it('answers no call from another sender than its page', async () => {
    const answer = await kestrel.app.evaluate(
      async ({ BrowserWindow }, preload) => {
        const stranger = new BrowserWindow({ show: false, webPreferences: { preload, sandbox: true } })
        await stranger.loadURL('data:text/html,<h1>stranger</h1>')
        const words = (await stranger.webContents.executeJavaScript(
          'window.kestrelDesktop.appInfo().then(() => "answered", (error) => error.message)',
        )) as string
        stranger.destroy()
        return words
      },
      join(appFolder, 'out', 'preload', 'index.cjs'),
    )
    expect(answer).toContain('forbidden')
  })

  it('refuses other permissions', async () => {
    const states = await page.evaluate(async () => {
      const ask = (name: string) => navigator.permissions.query({ name: name as PermissionName })
      const geolocation = await ask('geolocation')
      const notifications = await Notification.requestPermission()
      const microphone = await navigator.mediaDevices.getUserMedia({ audio: true }).then(
        () => 'granted',
        () => 'denied',
      )
      return { geolocation: geolocation.state, notifications, microphone }
    })
    expect(states).toEqual({ geolocation: 'denied', notifications: 'denied', microphone: 'denied' })
  })

  it('serves nothing outside the studio: other hosts, climbing paths, internal routes', async () => {
    expect((await fetchText(page, 'studio://app/pid')).status).toBe(200)
    const climbing = await fetchText(page, 'studio://app/../../../etc/passwd')
    expect(climbing).toMatchObject({ status: 404 })
    expect(climbing.text).toContain('/etc/passwd')
    expect((await fetchText(page, 'studio://app/media/%2e%2e%2f%2e%2e%2fetc/passwd')).status).toBe(404)
    expect((await fetchText(page, 'studio://app/media/..%5c..%5cwindows')).status).toBe(404)
    expect((await fetchText(page, 'studio://app/internal/status')).status).toBe(403)
    expect((await fetchText(page, 'studio://app/x/%2e%2e/internal/status')).status).toBe(403)
    // Other hosts of the scheme and other schemes: stopped by the policy or by the door, never answered.
    const others = await page.evaluate(async () => {
      const addresses = [
        'studio://other/pid',
        'studio://app.evil/pid',
        'file:///etc/passwd',
        'http://127.0.0.1:1/',
      ]
      return Promise.all(
        addresses.map((address) =>
          fetch(address).then(
            (response) => response.ok,
            () => false,
          ),
        ),
      )
    })
    expect(others).toEqual([false, false, false, false])
  })

  it('keeps its own header, and passes on none that is not the page’s to set', async () => {
    const { text } = await fetchText(page, 'studio://app/seen', {
      headers: { 'x-kestrel-secret': 'guessed', 'x-window': '7' },
    })
    const { headers } = JSON.parse(text) as { headers: Record<string, string> }
    expect(headers['x-window']).toBe('7')
    expect(headers['x-kestrel-secret']).toMatch(/^[0-9a-f]{64}$/)
    expect(headers['origin']).toBeUndefined()
    expect(headers['cookie']).toBeUndefined()
  })

  it('shows no page that comes without its security headers', async () => {
    expect((await fetchText(page, 'studio://app/unsafe')).status).toBe(502)
  })

  it('passes large bodies both ways, unharmed', async () => {
    const same = await page.evaluate(async () => {
      const bytes = new Uint8Array(5_000_000).map((_, index) => (index * 31) % 251)
      const response = await fetch('/echo', { method: 'POST', body: new Blob([bytes]) })
      const back = new Uint8Array(await response.arrayBuffer())
      return back.length === bytes.length && back.every((value, index) => value === bytes[index])
    })
    expect(same).toBe(true)
  })

  it('streams answers as they come, and closes them when the page gives up', async () => {
    const first = await page.evaluate(async () => {
      const abort = new AbortController()
      const response = await fetch('/stream', { signal: abort.signal })
      const reader = response.body!.getReader()
      const { value } = await reader.read()
      abort.abort()
      return new TextDecoder().decode(value)
    })
    expect(first).toContain('data: 1')
    await expect
      .poll(async () => (JSON.parse((await fetchText(page, '/seen')).text) as { aborted: number }).aborted)
      .toBe(1)
  })

  it('turns picked files into a token, without telling the page their place', async () => {
    const file = join(kestrel.home, 'picture one.png')
    writeFileSync(file, 'not really')
    await page.setInputFiles('#file', file)
    const chosen = await page.evaluate(() => {
      const input = document.querySelector<HTMLInputElement>('#file')!
      return window.kestrelDesktop!.sourcesFromFiles([...input.files!])
    })
    expect(chosen).toEqual({ token: 'stand-in-token-1', names: ['picture one.png'] })
    const { sources } = JSON.parse((await fetchText(page, '/seen')).text) as { sources: unknown[] }
    expect(sources).toEqual([{ paths: [file], purpose: 'read' }])
  })

  it('refuses what does not lie on a disk', async () => {
    const words = await page.evaluate(() =>
      window.kestrelDesktop!.sourcesFromFiles([new File(['x'], 'made-up.png')]).then(
        () => 'accepted',
        (error: Error) => error.message,
      ),
    )
    expect(words).toContain('file-missing')
  })

  it('starts a trainer for the studio and tells how it ended', async () => {
    await fetchText(page, '/trainer', { method: 'POST' })
    const messages = async () =>
      (JSON.parse((await fetchText(page, '/seen')).text) as { messages: Record<string, unknown>[] }).messages
    await expect.poll(async () => (await messages()).length).toBe(2)
    expect(await messages()).toMatchObject([
      { type: 'trainer-started', token: 'trainer-1' },
      { type: 'trainer-exit', token: 'trainer-1', code: 5 },
    ])
    expect(kestrel.log()).toContain('the studio sent something unknown')
  })

  it('lets no second Kestrel run on the same user-data folder', async () => {
    expect(await launchInVain({ appFolder, home: kestrel.home })).toBe(0)
    expect(await page.textContent('h1')).toBe('Kestrel stands in')
  })

  it('stays on its page: navigation, new windows and webviews are refused', async () => {
    // Clicked from inside: Playwright's own click would wait for a navigation that never comes.
    const opened = await page.evaluate(() => {
      document.querySelector<HTMLElement>('#out')!.click()
      document.querySelector<HTMLElement>('#blank')!.click()
      const other = window.open('https://example.com/')
      location.href = 'file:///etc/passwd'
      const view = document.createElement('webview')
      view.setAttribute('src', 'https://example.com/')
      document.body.append(view)
      return other === null
    })
    expect(opened).toBe(true)
    await expect.poll(() => kestrel.log()).toContain('navigation refused')
    // The page is the same one, not one that was loaded anew.
    expect(await page.evaluate(() => document.querySelector('webview') !== null)).toBe(true)
    expect(await page.evaluate(() => location.href)).toBe('studio://app/')
    expect(kestrel.app.windows()).toHaveLength(1)
  })

  it('starts the studio again when it dies, and tells the page', async () => {
    const pidOf = async () => (JSON.parse((await fetchText(page, '/pid')).text) as { pid: number }).pid
    const before = await pidOf()
    await page.evaluate(() => {
      window.events = []
      window.kestrelDesktop!.onEvent((event) => window.events!.push(event))
    })
    process.kill(before, 'SIGKILL')
    await page.waitForFunction(() => window.events!.length > 0)
    expect(await page.evaluate(() => window.events)).toMatchObject([{ type: 'studio-restarted' }])
    expect(await pidOf()).not.toBe(before)
  })

  it('keeps the size of its window for the next start', async () => {
    await kestrel.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.setSize(1100, 700))
    await kestrel.app.close()
    kestrel = await launch({ appFolder, home: kestrel.home })
    page = kestrel.page
    await page.waitForSelector('h1')
    const size = await kestrel.app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0]!.getSize(),
    )
    expect(size).toEqual([1100, 700])
  })
})

describe('the desktop shell, on utility processes of this Electron', () => {
  const appFolder = standInApp()
  let kestrel: LaunchedApp

  beforeAll(async () => {
    kestrel = await launch({ appFolder, env: { KESTREL_TEST_OWN_UTILITY: '1' } })
    await kestrel.page.waitForSelector('h1')
  })
  afterAll(async () => {
    await kestrel.close()
    for (const folder of [appFolder, kestrel.home]) rmSync(folder, withContents)
    closeDisplay()
  })

  const pidOf = async () => {
    const { text } = await fetchText(kestrel.page, '/pid')
    return (JSON.parse(text) as { pid: number }).pid
  }

  it('hears through the parent port, restarts what dies, and ends what it started', async () => {
    const before = await pidOf()
    process.kill(before, 'SIGKILL')
    await expect.poll(pidOf).not.toBe(before)
    const after = await pidOf()
    const home = kestrel.home
    await kestrel.app.close()
    const lines = readFileSync(join(home, 'logs', 'main.log'), 'utf8').split('\n')
    expect(lines.filter((line) => line.includes('studio ready'))).toHaveLength(2)
    expect(lines.some((line) => line.includes('studio ended with 0'))).toBe(true)
    expect(() => process.kill(after, 0)).toThrow('ESRCH')
  })
})

describe('the desktop shell, when the studio keeps dying', () => {
  const appFolder = standInApp()
  let kestrel: LaunchedApp

  beforeAll(async () => {
    kestrel = await launch({ appFolder })
    await kestrel.page.waitForSelector('h1')
  })
  afterAll(async () => {
    await kestrel.close()
    rmSync(appFolder, withContents)
    closeDisplay()
  })

  it('stops trying after three times within a minute, and says so', async () => {
    const { page } = kestrel
    await page.evaluate(() => {
      window.events = []
      window.kestrelDesktop!.onEvent((event) => window.events!.push(event))
    })
    for (const deaths of [1, 2, 3]) {
      const { text } = await fetchText(page, '/pid')
      process.kill((JSON.parse(text) as { pid: number }).pid, 'SIGKILL')
      await page.waitForFunction((count) => window.events!.length === count, deaths)
    }
    const types = await page.evaluate(() => window.events!.map((event) => event.type))
    expect(types).toEqual(['studio-restarted', 'studio-restarted', 'studio-failed'])
    const answer = await fetchText(page, '/pid')
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'busy' })
  })
})

describe('the desktop shell, when it is closed during a training', () => {
  const appFolder = standInApp()
  let kestrel: LaunchedApp

  beforeAll(async () => {
    // Without KESTREL_TEST the shell asks, as it does for people.
    kestrel = await launch({ appFolder, env: { KESTREL_TEST: '' } })
    await kestrel.page.waitForSelector('h1')
  })
  afterAll(() => {
    for (const folder of [appFolder, kestrel.home]) rmSync(folder, withContents)
    closeDisplay()
  })

  /** Answers the next question of the shell, and notes it. */
  const answerWith = (response: number) =>
    kestrel.app.evaluate(({ dialog }, choice) => {
      const notes = globalThis as { question?: string }
      dialog.showMessageBox = ((options: { message: string }) => {
        notes.question = options.message
        return Promise.resolve({ response: choice, checkboxChecked: false })
      }) as typeof dialog.showMessageBox
    }, response)
  const closeWindow = () =>
    kestrel.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())

  it('asks, goes on when told to, and quits when told to', async () => {
    await fetchText(kestrel.page, '/train', { method: 'POST' })
    await answerWith(0)
    await closeWindow()
    const question = () => kestrel.app.evaluate(() => (globalThis as { question?: string }).question)
    await expect.poll(question).toBe('A training is running in "Flowers".')
    expect(await kestrel.page.textContent('h1')).toBe('Kestrel stands in')

    await answerWith(1)
    const closed = kestrel.app.waitForEvent('close')
    await closeWindow()
    await closed
    expect(kestrel.log()).toContain('studio ended with 0')
  })
})

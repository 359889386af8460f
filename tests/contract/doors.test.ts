import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pipeSecretHeader } from '#shared/contract/broker.ts'
import { mediaUrl, mostThumbnails } from '#shared/contract/media.ts'
import { wireErrorSchema } from '#shared/errors/index.ts'
import { unpackParts } from '#shared/util/pack.ts'
import { openLoopbackDoor } from '#studio/server/doors.ts'
import { draw } from '../helpers/draw.ts'
import { send } from '../helpers/http-client.ts'
import type { RawRequest } from '../helpers/http-client.ts'
import { studioServer } from '../helpers/studio-server.ts'

let folder: string
let server: Awaited<ReturnType<typeof studioServer>>
let projectId: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kestrel-doors-'))
  server = await studioServer(folder)
  const made = await server.studio.client.projects.sample()
  projectId = made.projectId
  await server.studio.jobs.wait(made.jobId)
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

const through = (name: 'pipe' | 'loopback', raw: RawRequest): Promise<Response> => {
  const door = server.doors.find((each) => each.name === name)!
  return send(door.target, { ...raw, headers: { ...door.headers, ...raw.headers } })
}
/** Exactly these headers on the loopback door. */
const knock = (raw: RawRequest): Promise<Response> => send({ port: server.port }, raw)
const codeOf = async (response: Response): Promise<string> =>
  wireErrorSchema.parse(await response.json()).code
const infoCall = {
  method: 'POST',
  path: '/rpc/system/info',
  body: '{}',
  headers: { 'content-type': 'application/json' },
}

describe('the pipe', () => {
  test('without the secret, or with a wrong one, nothing is answered', async () => {
    const { target } = server.doors[0]!
    const attempts: Record<string, string>[] = [
      {},
      { [pipeSecretHeader]: 'guess' },
      { [pipeSecretHeader]: '' },
    ]
    for (const headers of attempts) {
      for (const path of ['/', '/rpc/system/info', '/internal/status', `/media/${projectId}/thumb/1`]) {
        const response = await send(target, { path, headers })
        expect(response.status).toBe(401)
        expect(await codeOf(response)).toBe('unauthorised')
      }
    }
  })

  test.skipIf(process.platform === 'win32')('only this user may open it', () => {
    expect(statSync(server.doors[0]!.target.socketPath!).mode & 0o777).toBe(0o600)
  })

  test('gives tokens for paths, says where things lie, and what is running', async () => {
    const headers = { 'content-type': 'application/json' }
    const post = (path: string, body: unknown): Promise<Response> =>
      through('pipe', { method: 'POST', path, body: JSON.stringify(body), headers })
    const registered = await post('/internal/sources', { paths: [folder], purpose: 'read' })
    const { token } = (await registered.json()) as { token: string }
    expect(token.length).toBeGreaterThan(20)
    expect(await (await post('/internal/locate', { what: 'source', token })).json()).toEqual({ path: folder })
    const located = await (await post('/internal/locate', { what: 'project', projectId })).json()
    expect(located).toMatchObject({ path: expect.stringContaining('Forest finds.kestrel') as string })
    expect(await codeOf(await post('/internal/locate', { what: 'source', token: 'x'.repeat(20) }))).toBe(
      'not-found',
    )
    for (const wrong of [
      { paths: [], purpose: 'read' },
      { paths: 'x' },
      null,
      { paths: ['x'], purpose: 'execute' },
    ])
      expect(await codeOf(await post('/internal/sources', wrong))).toBe('bad-request')
    expect(await (await through('pipe', { path: '/internal/status' })).json()).toEqual({
      trainings: [],
      otherJobs: 0,
    })
  })
})

describe('the loopback door', () => {
  const own = () => server.doors[1]!.headers

  test('the printed address works once; the cookie is strict and out of reach of scripts', async () => {
    const { address, close, port } = await openLoopbackDoor(
      { fetch: server.studio.fetch, log: server.log },
      { port: 0 },
    )
    const wrong = await fetch(`http://127.0.0.1:${port}/?token=guess`)
    expect(wrong.status).toBe(401)
    const first = await fetch(address)
    expect(first.status).toBe(200)
    const cookie = first.headers.getSetCookie()[0] ?? ''
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/)
    expect(await first.text()).not.toContain('token')
    const second = await fetch(address)
    expect(second.status).toBe(401)
    expect(second.headers.getSetCookie()).toEqual([])
    const reload = await fetch(address, { headers: { cookie: cookie.split(';')[0]! } })
    expect(reload.status).toBe(200)
    await close()
  })

  test('without the cookie nothing is answered', async () => {
    const { host, origin } = own()
    for (const cookie of ['', 'kestrel=1', `kestrel_${server.port}=guess`, `kestrel_${server.port}=`])
      for (const path of ['/', '/assets/app-1234.js', `/media/${projectId}/thumb/1`, '/internal/status'])
        expect((await knock({ path, headers: { host: host!, cookie } })).status).toBe(401)
    const call = await knock({ ...infoCall, headers: { ...infoCall.headers, host: host!, origin: origin! } })
    expect(await codeOf(call)).toBe('unauthorised')
  })

  test.each(['evil.example', '127.0.0.1', '127.0.0.1:1', 'localhost.evil.example'])(
    'host "%s" is refused, cookie or not',
    async (host) => {
      const response = await knock({ ...infoCall, headers: { ...own(), ...infoCall.headers, host } })
      expect(response.status).toBe(403)
      expect(await codeOf(response)).toBe('forbidden')
    },
  )

  test.each(['http://evil.example', 'null', 'https://127.0.0.1', 'studio://app'])(
    'origin "%s" is refused',
    async (origin) => {
      for (const raw of [infoCall, { path: '/' }, { method: 'POST', path: '/upload' }])
        expect(await codeOf(await knock({ ...raw, headers: { ...own(), origin } }))).toBe('forbidden')
    },
  )

  test('another port of this machine is another origin', async () => {
    const origin = `http://127.0.0.1:${server.port + 1}`
    expect(await codeOf(await knock({ ...infoCall, headers: { ...own(), origin } }))).toBe('forbidden')
  })

  test('a change without an origin, or from another site, is refused', async () => {
    const { host, cookie } = own()
    const bare = { host: host!, cookie: cookie!, 'content-type': 'application/json' }
    expect(await codeOf(await knock({ ...infoCall, headers: bare }))).toBe('forbidden')
    const site = await knock({ ...infoCall, headers: { ...own(), 'sec-fetch-site': 'cross-site' } })
    expect(await codeOf(site)).toBe('forbidden')
    const picture = {
      path: `/media/${projectId}/thumb/1`,
      headers: { ...own(), 'sec-fetch-site': 'cross-site' },
    }
    expect(await codeOf(await knock(picture))).toBe('forbidden')
  })

  test('what only the window may ask is refused', async () => {
    for (const path of ['/internal/sources', '/internal/locate', '/internal/status'])
      for (const method of ['GET', 'POST'])
        expect(
          await codeOf(
            await through('loopback', { method, path, body: method === 'POST' ? '{}' : undefined }),
          ),
        ).toBe('forbidden')
  })
})

describe.each(['pipe', 'loopback'] as const)('through the %s', (door) => {
  test('every answer carries the headers that keep the page to itself', async () => {
    for (const path of [
      '/',
      '/assets/app-1234.js',
      '/nothing.js',
      `/media/${projectId}/thumb/1`,
      '/rpc/no/call',
    ]) {
      const { headers } = await through(door, { path })
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
      expect(headers.get('content-security-policy')).not.toMatch(/https?:|\*|unsafe-eval/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    }
  })

  test('the page, its places and its files; nothing beside them', async () => {
    const page = await (await through(door, { path: '/' })).text()
    expect(page).toContain('<title>Kestrel</title>')
    expect(await (await through(door, { path: `/project/${projectId}/train` })).text()).toBe(page)
    const script = await through(door, { path: '/assets/app-1234.js' })
    expect(script.headers.get('content-type')).toContain('text/javascript')
    expect(script.headers.get('cache-control')).toContain('immutable')
    const outside = [
      '/../secret.txt',
      '/assets/../../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets/..%5c..%5csecret.txt',
      '/%2e%2e%2f%2e%2e%2fetc/passwd.txt',
      '//etc/hostname.txt',
      '/secret.txt%00.js',
      '/%E0%A4%A.js',
      '/assets',
      '/assets/',
    ]
    for (const path of outside) {
      const response = await through(door, { path })
      expect([path, response.status]).toEqual([path, 404])
      expect(await codeOf(response)).toBe('not-found')
    }
  })

  test('pictures by id only', async () => {
    const thumbnail = await through(door, { path: `/media/${projectId}/thumb/1` })
    expect(thumbnail.headers.get('content-type')).toBe('image/jpeg')
    expect((await thumbnail.arrayBuffer()).byteLength).toBeGreaterThan(500)
    const preview = await through(door, { path: `/media/${projectId}/preview/1` })
    expect(preview.headers.get('content-type')).toMatch(/^image\//)
    await preview.arrayBuffer()
    const none = [
      `/media/${projectId}/thumb/99999`,
      `/media/${projectId}/thumb/-1`,
      `/media/${projectId}/thumb/1.5`,
      `/media/${projectId}/thumb/..%2f..%2fproject.db`,
      `/media/${projectId}/preview/1%00`,
      '/media/no-such-project/thumb/1',
      '/media/..%2f..%2fetc/thumb/1',
      '/media/recent/no-such-project/0',
      `/media/recent/${projectId}/99`,
      '/media/',
      '/media/anything/else',
    ]
    for (const path of none) {
      const response = await through(door, { path })
      expect([path, response.status]).toEqual([path, 404])
      expect(['not-found', 'project-not-found']).toContain(await codeOf(response))
    }
  })

  test('many thumbnails in one answer, in the order asked for; what cannot be shown leaves a gap', async () => {
    const single = async (id: number): Promise<Buffer> =>
      Buffer.from(await (await through(door, { path: `/media/${projectId}/thumb/${id}` })).arrayBuffer())
    const answer = await through(door, { path: mediaUrl.thumbnails(projectId, [3, 99_999, 1]) })
    expect(answer.status).toBe(200)
    const parts = unpackParts(await answer.arrayBuffer())
    expect(parts.map((part) => part && Buffer.from(part))).toEqual([await single(3), null, await single(1)])
    const tooMany = Array.from({ length: mostThumbnails + 1 }, () => '1').join(',')
    for (const ids of ['', '1,', '1,x', '1,-2', '1;2', '1.5', tooMany, '..%2f..%2fproject.db']) {
      const response = await through(door, { path: `/media/${projectId}/thumbs/${ids}` })
      expect([ids, response.status, await codeOf(response)]).toEqual([ids, 404, 'not-found'])
    }
    expect((await through(door, { path: '/media/no-such-project/thumbs/1' })).status).toBe(404)
  })

  test('a thumbnail that was deleted is made again', async () => {
    const { thumbnails, folder: place } = server.studio.registry.get(projectId)
    await server.studio.projects.close(projectId)
    rmSync(join(place, 'cache'), { recursive: true })
    await server.studio.projects.openRecent(projectId)
    expect(() => thumbnails.get('00')).toThrow()
    const thumbnail = await through(door, { path: `/media/${projectId}/thumb/2` })
    expect(thumbnail.status).toBe(200)
    expect((await thumbnail.arrayBuffer()).byteLength).toBeGreaterThan(500)
  })

  test('bodies over the limit are refused, announced or not', async () => {
    const headers = { 'content-type': 'application/json' }
    const announced = await through(door, {
      ...infoCall,
      body: undefined,
      headers: { ...headers, 'content-length': String(9 * 1024 ** 2) },
    })
    expect(await codeOf(announced)).toBe('too-large')
    const chunks = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"json":"')),
      pull(controller) {
        controller.enqueue(new Uint8Array(1024 * 1024).fill(97))
      },
    })
    const refused = await through(door, { ...infoCall, headers, body: chunks as NodeReadableStream }).then(
      (response) => response.status,
      // The connection may be cut while the body is still being sent.
      (error: unknown) => error,
    )
    expect(refused instanceof Error || Number(refused) >= 400).toBe(true)
  })

  test('calls by GET, unknown methods and broken JSON are refused', async () => {
    const get = await through(door, { path: '/rpc/system/info?data=%7B%7D' })
    expect(get.status).toBeGreaterThanOrEqual(400)
    await get.arrayBuffer()
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'])
      expect(await codeOf(await through(door, { method, path: '/' }))).toBe('forbidden')
    const broken = await through(door, { ...infoCall, body: '{"json":' })
    expect(broken.status).toBe(400)
    await broken.arrayBuffer()
  })

  test('files that are sent become a source; names that lead out are refused', async () => {
    const begun = await through(door, { method: 'POST', path: '/upload' })
    const { token } = (await begun.json()) as { token: string }
    const put = async (path: string, body: Uint8Array, to = token): Promise<Response> =>
      through(door, { method: 'PUT', path: `/upload/${to}?path=${encodeURIComponent(path)}`, body })
    const leadsOut = [
      '../x.jpg',
      'a/../../x.jpg',
      '/etc/x.jpg',
      'a\\..\\x.jpg',
      'C:/x.jpg',
      '',
      'a//b.jpg',
      'a\u0000.jpg',
    ]
    for (const path of leadsOut) expect(await codeOf(await put(path, await draw(1)))).toBe('bad-request')
    expect(await codeOf(await put('x.jpg', await draw(1), 'no-such-token-at-all'))).toBe('not-found')
    const huge = await through(door, {
      method: 'PUT',
      path: `/upload/${token}?path=x.jpg`,
      headers: { 'content-length': String(20 * 1024 ** 3) },
    })
    expect(await codeOf(huge)).toBe('too-large')

    const seed = door === 'pipe' ? 9001 : 9101
    for (const [index, path] of ['sent/cat/1.jpg', 'sent/dog/2.jpg', 'sent/dog/2.jpg'].entries())
      expect((await put(path, await draw(seed + index))).status).toBe(200)
    const { client } = server.doors.find((each) => each.name === door)!
    const plan = await client.imports.inspect({ projectId, source: token })
    expect(plan).toMatchObject({ pictures: 3, recommended: 'parent' })
    const { jobId } = await client.imports.start({
      projectId,
      source: token,
      rule: 'parent',
      storage: 'reference',
    })
    const job = await server.studio.jobs.wait(jobId)
    expect(job).toMatchObject({ state: 'done', facts: { imported: 3 } })
    // Sent files are copied even when pictures are to be left in place, and nothing of them stays behind.
    const project = server.studio.registry.get(projectId)
    expect(readdirSync(project.paths.temporary)).toEqual([])
    expect(readdirSync(join(server.studio.home, 'uploads'), { recursive: true }).join()).not.toContain(token)
    const rows = await client.pictures.window({ projectId, filter: { search: '2 (2)' }, offset: 0, limit: 5 })
    expect(rows.total).toBeGreaterThan(0)
  })
})

test('nothing unexpected was written to the log', () => {
  expect(server.log.errors).toEqual([])
})

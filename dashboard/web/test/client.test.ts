import { describe, expect, it } from 'vitest'
import { ApiError, createClient, query, Unreachable } from '../src/api/client'
import { safeNext } from '../src/router'

describe('the client', () => {
  function answering(answer: () => Response | Promise<Response>) {
    const asked: { path: string; init: RequestInit }[] = []
    let signedOut = 0
    const client = createClient(async (path, init) => { asked.push({ path: String(path), init: init! }); return answer() }, () => { signedOut++ })
    return { client, asked, signedOut: () => signedOut }
  }
  const header = (init: RequestInit, name: string) => new Headers(init.headers).get(name)

  it('marks what changes something as its own', async () => {
    const { client, asked } = answering(() => new Response('{"ok":1}'))
    expect(await client.send('POST', '/api/x', { a: 1 })).toEqual({ ok: 1 })
    await client.get('/api/y')
    await client.send('POST', '/api/z', new FormData())
    expect(asked.map(({ init }) => [init.method, header(init, 'X-Gengfu'), header(init, 'Content-Type')])).toEqual([['POST', '1', 'application/json'], [undefined, null, null], ['POST', '1', null]])
    expect(asked[0]!.init.body).toBe('{"a":1}')
  })

  it('has nothing to read where there is no content', async () => {
    expect(await answering(() => new Response(null, { status: 204 })).client.send('DELETE', '/api/session')).toBeUndefined()
  })

  it('passes on what the server says', async () => {
    const body = { error: { code: 'unlawful', message: { zh: '现在不能接单', en: 'Not now' }, field: 'action' } }
    const error = await answering(() => new Response(JSON.stringify(body), { status: 409 })).client.get('/x').catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 409, code: 'unlawful', text: body.error.message, field: 'action' })
  })

  it('understands an answer that is not the server’s', async () => {
    const error = await answering(() => new Response('<h1>Bad gateway</h1>', { status: 502 })).client.get('/x').catch((e: unknown) => e)
    expect(error).toMatchObject({ status: 502, code: 'internal', text: { en: 'HTTP 502' } })
  })

  it('notices that a session ended, and does not take a wrong password for it', async () => {
    const ended = answering(() => new Response('{}', { status: 401 }))
    await expect(ended.client.get('/x')).rejects.toMatchObject({ code: 'signed_out' })
    expect(ended.signedOut()).toBe(1)
    const wrong = answering(() => new Response('{"error":{"code":"wrong_login","message":{"zh":"","en":""}}}', { status: 401 }))
    await expect(wrong.client.send('POST', '/api/session', {})).rejects.toMatchObject({ code: 'wrong_login' })
    expect(wrong.signedOut()).toBe(0)
  })

  it('tells silence from a page that was left', async () => {
    await expect(answering(() => Promise.reject(new TypeError('Failed to fetch'))).client.get('/x')).rejects.toBeInstanceOf(Unreachable)
    const left = new AbortController()
    left.abort()
    await expect(answering(() => Promise.reject(new DOMException('aborted', 'AbortError'))).client.get('/x', left.signal)).rejects.toMatchObject({ name: 'AbortError' })
  })
})

it('query leaves out what has no value', () => {
  expect(query('/a', { x: 1, y: '', z: undefined, q: 'a b' })).toBe('/a?x=1&q=a+b')
  expect(query('/a', {})).toBe('/a')
})

it.each([['/t/abc', '/t/abc'], ['//evil.example', null], ['/\\evil.example', null], ['https://evil.example', null], ['', null], [undefined, null]])('after sign-in %s leads to %s', (next, want) => {
  expect(safeNext(next)).toBe(want)
})

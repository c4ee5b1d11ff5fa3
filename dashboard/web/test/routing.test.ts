import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, nextTick } from 'vue'
import { matchPath, readQuery, writePath, writeQuery } from '../src/routing/match'
import { createRouter, type RouteRecord } from '../src/routing/router'

describe('addresses', () => {
  it.each([
    ['/', '/', {}], ['/alarms', '/alarms', {}], ['/alarms', '/alarms/', {}], ['/alarms', '/orders', null], ['/alarms', '/alarms/x', null],
    ['/orders/:id?', '/orders', { id: '' }], ['/orders/:id?', '/orders/o1', { id: 'o1' }], ['/orders/:id?', '/orders/o1/x', null],
    ['/t/:token', '/t/a%20b', { token: 'a b' }], ['/t/:token', '/t', null], ['/t/:token', '/t/%E0%A4%A', null],
  ])('%s reads %s as %o', (pattern, path, want) => {
    expect(matchPath(pattern, path)).toEqual(want)
  })
  it('are written as they are read', () => {
    expect(writePath('/t/:token', { token: 'a/b c' })).toBe('/t/a%2Fb%20c')
    expect(matchPath('/t/:token', writePath('/t/:token', { token: 'a/b c' }))).toEqual({ token: 'a/b c' })
    expect(writePath('/orders/:id?', {})).toBe('/orders')
    expect(writeQuery({ kiosk: '', a: 'x&y', b: undefined })).toBe('?kiosk&a=x%26y')
    expect(readQuery('?kiosk&a=x%26y')).toEqual({ kiosk: '', a: 'x&y' })
    expect(writeQuery({ a: undefined })).toBe('')
  })
})

describe('the router', () => {
  const page = (name: string) => ({ template: name, render: () => name })
  const slow: { open?: () => void } = {}
  const records: RouteRecord[] = [
    { name: 'home', path: '/', component: page('home') },
    { name: 'orders', path: '/orders/:id?', component: page('orders') },
    { name: 'slow', path: '/slow', load: () => new Promise((resolve) => { slow.open = () => resolve({ default: page('slow') }) }) },
    { name: 'secret', path: '/secret', component: page('secret') },
    { name: 'lost', path: '*', component: page('lost') },
  ]
  beforeEach(() => { history.replaceState(null, '', '/') })

  function start() {
    const router = createRouter(records)
    createApp({}).use(router)
    return router
  }

  it('goes to pages and tells who asked', async () => {
    const router = start()
    const seen: string[] = []
    router.afterEach((to, from) => seen.push(`${from.name}>${to.name}`))
    await router.start()
    await router.push('/orders/o1?show=done')
    expect(router.current).toMatchObject({ name: 'orders', params: { id: 'o1' }, query: { show: 'done' }, fullPath: '/orders/o1?show=done' })
    expect(location.pathname + location.search).toBe('/orders/o1?show=done')
    await router.replace({ path: '/orders', query: { show: undefined } })
    expect(location.pathname + location.search).toBe('/orders')
    await router.push('/no/such/page')
    expect(router.current.name).toBe('lost')
    expect(seen).toEqual(['>home', 'home>orders', 'orders>orders', 'orders>lost'])
  })

  it('resolves by name', () => {
    const router = start()
    expect(router.resolve({ name: 'orders', params: { id: 'a b' }, query: { q: 'ü' } }).fullPath).toBe('/orders/a%20b?q=%C3%BC')
    expect(router.resolve({ name: 'orders' }).fullPath).toBe('/orders')
  })

  it('sends elsewhere who may not, and stays where a guard says no', async () => {
    const router = start()
    router.beforeEach((to) => (to.name === 'secret' ? { name: 'home', query: { next: to.fullPath } } : to.name !== 'lost'))
    await router.start()
    await router.push('/secret')
    expect(router.current.fullPath).toBe('/?next=%2Fsecret')
    await router.push('/nowhere')
    expect(router.current.name).toBe('home')
  })

  it('forgets a slow page when the person has gone on', async () => {
    const router = start()
    await router.start()
    const going = router.push('/slow')
    await router.push('/orders')
    slow.open!()
    await going
    expect([router.current.name, location.pathname]).toEqual(['orders', '/orders'])
  })

  it('keeps what a page noted in the history when only the query changes', async () => {
    const router = start()
    await router.start()
    await router.push('/orders/o1')
    history.replaceState({ tap: 'x' }, '')
    await router.replace({ path: '/orders/o1', query: { a: '1' } })
    expect(history.state).toEqual({ tap: 'x' })
  })

  it('goes back with the browser', async () => {
    const router = start()
    await router.start()
    await router.push('/orders/o1')
    const scroll = vi.spyOn(window, 'scrollTo').mockImplementation(() => {})
    history.replaceState({ scroll: 120 }, '', '/')
    dispatchEvent(new PopStateEvent('popstate'))
    await nextTick()
    await nextTick()
    expect(router.current.name).toBe('home')
    expect(scroll).toHaveBeenCalledWith(0, 120)
  })
})

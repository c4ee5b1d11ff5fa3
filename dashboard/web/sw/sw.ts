import { createClient, Unreachable } from '../src/api/client'
import type { Session } from '../src/api/types'
import { pages } from '../src/nav'
import { sendTaps } from '../src/offline/sender'
import { openStore } from '../src/offline/store'

declare const self: ServiceWorkerGlobalScope
declare const __SHELL__: string[]
declare const __SHELL_VERSION__: string

// The app itself is kept; nothing that the API says ever is.
const cacheName = `gengfu-shell-${__SHELL_VERSION__}`
const shell = new Set(__SHELL__)
const appPaths = [...Object.values(pages).map((p) => p.path), '/sign-in', '/tags']

self.addEventListener('install', (event) => {
  event.waitUntil(install())
})

async function install(): Promise<void> {
  const cache = await caches.open(cacheName)
  await cache.addAll(__SHELL__.map((path) => new Request(path, { cache: 'reload' })))
  await self.skipWaiting()
}

self.addEventListener('activate', (event) => {
  event.waitUntil(activate())
})

// The cache before this one stays: an open page of the old version still loads its parts from it.
async function activate(): Promise<void> {
  const old = (await caches.keys()).filter((k) => k.startsWith('gengfu-shell-') && k !== cacheName)
  await Promise.all(old.slice(0, -1).map((k) => caches.delete(k)))
  await self.clients.claim()
}

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin) return
  if (request.mode === 'navigate') {
    if (isAppPage(url.pathname)) event.respondWith(kept('/', request))
  } else if (shell.has(url.pathname) || url.pathname.startsWith('/assets/')) {
    event.respondWith(kept(url.pathname, request))
  }
})

function isAppPage(path: string): boolean {
  return appPaths.includes(path) || /^\/(t|orders|devices)\/[^/]+$/.test(path)
}

async function kept(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(cacheName)
  return (await cache.match(path)) ?? (await caches.match(path)) ?? fetch(request)
}

interface SyncEvent extends ExtendableEvent { readonly tag: string }

// The network is back and the page may be closed: bring the taps that wait.
self.addEventListener('sync' as keyof ServiceWorkerGlobalScopeEventMap, (event) => {
  if ((event as SyncEvent).tag === 'taps') (event as SyncEvent).waitUntil(bringTaps())
})

async function bringTaps(): Promise<void> {
  const client = createClient((input, init) => fetch(input, init))
  const { person } = await client.get<Session>('/api/session')
  if (!person) return
  const store = await openStore()
  try {
    const work = () => sendTaps(store, client, person.login, Date.now)
    const outcome = await (self.navigator.locks?.request('gengfu-send', work) ?? work())
    // An error makes the browser try again later.
    if (outcome === 'later') throw new Unreachable('taps still wait')
  } finally {
    store.close()
  }
}

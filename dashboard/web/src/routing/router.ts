// The part of vue-router's interface that this app uses, under the same names, at
// a tenth of its weight: the whole first screen has to fit into 45 KB.
import {
  defineComponent, h, inject, nextTick, shallowReactive, shallowRef, type App, type Component, type InjectionKey, type PropType,
} from 'vue'
import { matchPath, readQuery, writePath, writeQuery, type Params, type Query } from './match'

/** Filled in by the app: what is known of a page besides its address. */
export interface RouteMeta {}

export interface RouteRecord {
  name: string
  path: string
  meta?: RouteMeta
  /** Either a component that is there, or how to fetch it. */
  component?: Component
  load?: () => Promise<{ default: Component }>
}

export interface Route { name: string; path: string; fullPath: string; params: Params; query: Query; meta: RouteMeta }

export type To = string | { name?: string; path?: string; params?: Params; query?: Record<string, string | undefined> }

/** A guard lets a navigation pass (true), stops it (false), or sends it elsewhere. */
export type Guard = (to: Route) => true | false | To

export interface Router {
  readonly current: Route
  resolve(to: To): Route
  push(to: To): Promise<void>
  replace(to: To): Promise<void>
  beforeEach(guard: Guard): void
  afterEach(hook: (to: Route, from: Route) => void): void
  /** Goes to the page of the address bar; resolves when it stands. */
  start(): Promise<void>
  install(app: App): void
}

const key: InjectionKey<Router & { view: { value: Component | null } }> = Symbol('router')
const nowhere: Route = { name: '', path: '', fullPath: '', params: {}, query: {}, meta: {} }

/** createRouter needs a last record whose path is "*": it takes what no other does. */
export function createRouter(records: readonly RouteRecord[]): Router {
  const current = shallowReactive<Route>({ ...nowhere })
  const view = shallowRef<Component | null>(null)
  const loaded = new Map<string, Component>()
  const guards: Guard[] = []
  const hooks: ((to: Route, from: Route) => void)[] = []
  let latest = 0

  function recordOf(path: string): { record: RouteRecord; params: Params } {
    for (const record of records) {
      const params = record.path === '*' ? {} : matchPath(record.path, path)
      if (params) return { record, params }
    }
    throw new Error(`no route for ${path}`)
  }

  function resolve(to: To): Route {
    if (typeof to === 'string') {
      const url = new URL(to, location.origin)
      return describe(url.pathname, readQuery(url.search))
    }
    const record = to.name ? records.find((r) => r.name === to.name) : undefined
    const path = record ? writePath(record.path, to.params ?? {}) : (to.path ?? current.path)
    return describe(path, readQuery(writeQuery(to.query ?? {})))
  }

  function describe(path: string, query: Query): Route {
    const { record, params } = recordOf(path)
    return { name: record.name, path, fullPath: path + writeQuery(query), params, query, meta: record.meta ?? {} }
  }

  function admit(to: Route, hops = 0): Route | null {
    for (const guard of guards) {
      const answer = guard(to)
      if (answer === false || hops > 5) return null
      if (answer !== true) return admit(resolve(answer), hops + 1)
    }
    return to
  }

  async function componentOf(route: Route): Promise<Component> {
    const record = records.find((r) => r.name === route.name)!
    const known = record.component ?? loaded.get(record.name)
    if (known) return known
    const component = (await record.load!()).default
    loaded.set(record.name, component)
    return component
  }

  async function go(to: Route, how: 'push' | 'replace' | 'pop'): Promise<void> {
    const mine = ++latest
    const admitted = admit(to)
    if (!admitted) return
    const component = await componentOf(admitted)
    // A later navigation overtook this one.
    if (mine !== latest) return
    const from = { ...current }
    write(admitted, admitted === to ? how : 'replace')
    Object.assign(current, admitted)
    view.value = component
    await nextTick()
    if (how === 'pop') scrollTo(0, (history.state as { scroll?: number } | null)?.scroll ?? 0)
    else if (admitted.path !== from.path) scrollTo(0, 0)
    hooks.forEach((hook) => hook(admitted, from))
  }

  function write(route: Route, how: 'push' | 'replace' | 'pop'): void {
    if (how === 'push' && route.fullPath !== current.fullPath) {
      history.replaceState({ ...(history.state as object | null), scroll: scrollY }, '')
      history.pushState({}, '', route.fullPath)
    } else if (how === 'replace') {
      history.replaceState(history.state, '', route.fullPath)
    }
  }

  const here = () => describe(location.pathname, readQuery(location.search))
  const router = {
    current, view, resolve,
    push: (to: To) => go(resolve(to), 'push'),
    replace: (to: To) => go(resolve(to), 'replace'),
    beforeEach: (guard: Guard) => void guards.push(guard),
    afterEach: (hook: (to: Route, from: Route) => void) => void hooks.push(hook),
    start() {
      addEventListener('popstate', () => void go(here(), 'pop'))
      return go(here(), 'pop')
    },
    install: (app: App) => void app.provide(key, router).component('RouterLink', RouterLink).component('RouterView', RouterView),
  }
  return router
}

export function useRouter(): Router {
  return inject(key)!
}

export function useRoute(): Route {
  return inject(key)!.current
}

/** RouterView shows the page of the address; its parameters are the page's properties. */
const RouterView = defineComponent({
  setup() {
    const router = inject(key)!
    return () => (router.view.value ? h(router.view.value, router.current.params) : null)
  },
})

/** RouterLink is an ordinary link that does not load the page anew. */
const RouterLink = defineComponent({
  props: { to: { type: [String, Object] as PropType<To>, required: true } },
  setup(props, { slots }) {
    const router = inject(key)!
    const follow = (e: MouseEvent) => {
      if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
      e.preventDefault()
      void router.push(props.to)
    }
    return () => h('a', { href: router.resolve(props.to).fullPath, onClick: follow }, slots.default?.())
  },
})

declare module 'vue' {
  interface GlobalComponents { RouterLink: typeof RouterLink; RouterView: typeof RouterView }
}

import type { Permission } from './api/types'
import { withOffice } from './i18n'
import { homeOf, pages, type Page } from './nav'
import OverviewPage from './pages/OverviewPage.vue'
import { createRouter, type Guard, type Route, type Router, type RouteRecord } from './routing/router'
import { may, session } from './state/session'

declare module './routing/router' {
  interface RouteMeta { page?: Page; needs?: Permission; open?: boolean }
}

// The overview is the first screen of most: a part of its own would cost them a round trip.
const views: Record<Page, Pick<RouteRecord, 'component' | 'load'>> = {
  overview: { component: OverviewPage },
  alarms: { load: () => withOffice(import('./pages/AlarmsPage.vue')) },
  orders: { load: () => withOffice(import('./pages/OrdersPage.vue')) },
  my: { load: () => withOffice(import('./pages/MyPage.vue')) },
  patrol: { load: () => withOffice(import('./pages/PatrolPage.vue')) },
  walk: { load: () => import('./pages/WalkPage.vue') },
  devices: { load: () => import('./pages/DevicesPage.vue') },
  rules: { load: () => withOffice(import('./pages/RulesPage.vue')) },
  figures: { load: () => withOffice(import('./pages/RulesPage.vue')) },
  people: { load: () => withOffice(import('./pages/PeoplePage.vue')) },
  health: { load: () => withOffice(import('./pages/HealthPage.vue')) },
  me: { load: () => import('./pages/MePage.vue') },
}

const records: RouteRecord[] = [
  ...(Object.keys(pages) as Page[]).map((page) => ({
    name: page,
    path: page === 'orders' || page === 'rules' ? `/${page}/:id?` : pages[page].path,
    meta: { page, needs: pages[page].needs },
    ...views[page],
  })),
  { name: 'device', path: '/devices/:id', load: () => withOffice(import('./pages/DevicePage.vue')), meta: { page: 'devices', needs: 'see_estate' } },
  { name: 'alarm', path: '/alarms/:id', load: () => withOffice(import('./pages/AlarmPage.vue')), meta: { page: 'alarms', needs: 'see_estate' } },
  { name: 'tags', path: '/tags', load: () => withOffice(import('./pages/TagsPage.vue')), meta: { page: 'patrol', needs: 'see_audit' } },
  { name: 'wand', path: '/wand', load: () => withOffice(import('./pages/WandPage.vue')), meta: { page: 'patrol', needs: 'import_taps' } },
  { name: 'tap', path: '/t/:token', load: () => import('./pages/TapPage.vue') },
  { name: 'sign-in', path: '/sign-in', load: () => import('./pages/SignInPage.vue'), meta: { open: true } },
  { name: 'forbidden', path: '/forbidden', load: () => import('./pages/LostPage.vue') },
  { name: 'lost', path: '*', load: () => import('./pages/LostPage.vue') },
]

export function createAppRouter(): Router {
  const router = createRouter(records)
  router.beforeEach(admit)
  return router
}

const admit: Guard = (to: Route) => {
  const s = session.value
  if (to.meta.open) return true
  if (!s?.person) return { name: 'sign-in', query: { next: to.fullPath === '/' ? undefined : to.fullPath } }
  if (!to.meta.needs || may(to.meta.needs)) return true
  return to.path === '/' ? homeOf(s.person.role, s.permissions ?? []) : { name: 'forbidden' }
}

/** safeNext is where to go after signing in: only ever a path of this site. */
export function safeNext(next: string | undefined): string | null {
  return next && /^\/(?![/\\])/.test(next) ? next : null
}

import type { Permission, Role } from './api/types'

export type Page = 'overview' | 'alarms' | 'orders' | 'my' | 'patrol' | 'walk' | 'devices' | 'rules' | 'figures' | 'people' | 'health' | 'me'

/** The address of each page, and what it takes to see it. */
export const pages: Record<Page, { path: string; needs?: Permission }> = {
  overview: { path: '/', needs: 'see_estate' },
  alarms: { path: '/alarms', needs: 'see_estate' },
  orders: { path: '/orders' },
  my: { path: '/my' },
  patrol: { path: '/patrol', needs: 'see_patrol' },
  walk: { path: '/walk', needs: 'make_tap' },
  devices: { path: '/devices', needs: 'see_estate' },
  rules: { path: '/rules', needs: 'see_estate' },
  figures: { path: '/figures', needs: 'see_figures' },
  people: { path: '/people', needs: 'manage_people' },
  health: { path: '/health', needs: 'see_health' },
  me: { path: '/me' },
}

// The first four of a role stand at the bottom of its phones.
const byRole: Record<Role, readonly Page[]> = {
  guard: ['walk', 'my', 'patrol', 'orders', 'me'],
  technician: ['my', 'alarms', 'overview', 'devices', 'orders', 'rules', 'me'],
  desk: ['overview', 'orders', 'alarms', 'patrol', 'devices', 'my', 'rules', 'figures', 'me'],
  manager: ['overview', 'alarms', 'orders', 'patrol', 'devices', 'my', 'rules', 'figures', 'health', 'me'],
  admin: ['overview', 'alarms', 'orders', 'patrol', 'devices', 'my', 'walk', 'rules', 'figures', 'people', 'health', 'me'],
  viewer: ['overview', 'alarms', 'orders', 'patrol', 'devices', 'rules', 'me'],
}

/** navFor lists the pages of a role that it is permitted, the most needed first. */
export function navFor(role: Role, permissions: readonly Permission[]): Page[] {
  return (byRole[role] ?? byRole.viewer).filter((p) => {
    const needs = pages[p].needs
    return !needs || permissions.includes(needs)
  })
}

/** homeOf is where a person starts. */
export function homeOf(role: Role, permissions: readonly Permission[]): string {
  return pages[navFor(role, permissions)[0] ?? 'me'].path
}

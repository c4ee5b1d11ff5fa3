import { createApp, h, shallowReactive, type Component } from 'vue'

/** mount puts a component into the page; changing props renders it anew. */
export function mount(component: Component, initial: Record<string, unknown>): { root: HTMLElement; props: Record<string, unknown> } {
  const props = shallowReactive({ ...initial })
  const root = document.createElement('div')
  document.body.append(root)
  createApp({ render: () => h(component, { ...props }) }).mount(root)
  return { root, props }
}

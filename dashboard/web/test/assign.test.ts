import { mount } from './mount'
import { beforeAll, expect, it } from 'vitest'
import { nextTick } from 'vue'
import type { Assignable, Order } from '../src/api/types'
import { speak } from '../src/i18n'
import OrderActions from '../src/parts/OrderActions.vue'

const people = (zhang: number, chen: number): Assignable[] => [
  { login: 'zhang', name: '张师傅', role: 'technician', open_orders: zhang }, { login: 'chen', name: '陈师傅', role: 'technician', open_orders: chen },
]
const order = (more: Partial<Order> = {}): Order => ({
  id: 'o1', no: '1', source: 'alarm', title: { zh: '', en: '' }, priority: 'P1', state: 'new', count: 1, created_at: '', last_at: '', updated_at: '',
  overdue: false, reopened: 0, version: 1, actions: ['assign'], ...more,
})

beforeAll(() => speak('zh'))

it('the chosen person stays chosen when the list arrives anew', async () => {
  const acts: unknown[] = []
  const desk = { busy: { value: false }, act: async (...args: unknown[]) => { acts.push(args); return true }, addPhoto: async () => {} }
  const { root, props } = mount(OrderActions, { order: order(), assignable: people(2, 0), desk })
  const select = () => root.querySelector<HTMLSelectElement>('[data-testid=assign-select]')!
  expect(select().value).toBe('chen')

  select().value = 'zhang'
  select().dispatchEvent(new Event('change'))
  props.assignable = people(3, 0)
  props.order = order({ version: 2, count: 2 })
  await nextTick()
  expect(select().value).toBe('zhang')
  root.querySelector('form')!.dispatchEvent(new Event('submit'))
  expect(acts).toMatchObject([[{ id: 'o1', version: 2 }, 'assign', { target: 'zhang' }]])

  props.order = order({ id: 'o2' })
  await nextTick()
  expect(select().value).toBe('chen')
  props.assignable = people(0, 0).slice(0, 1)
  await nextTick()
  expect(select().value).toBe('zhang')
})

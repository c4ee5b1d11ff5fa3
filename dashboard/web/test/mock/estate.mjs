// An estate for looking at the pages: the shapes of docs/api.md with made-up contents.

const text = (zh, en) => ({ zh, en })
const minute = 60_000
const hour = 60 * minute
export const iso = (ms) => new Date(ms).toISOString()

export const permissions = {
  admin: ['see_estate', 'see_all_orders', 'see_patrol', 'acknowledge_alarm', 'hold_alarm', 'see_figures', 'edit_rules', 'create_order', 'make_tap', 'import_taps', 'manage_people', 'see_audit', 'see_health'],
  manager: ['see_estate', 'see_all_orders', 'see_patrol', 'acknowledge_alarm', 'hold_alarm', 'see_figures', 'edit_rules', 'create_order', 'import_taps', 'see_audit', 'see_health'],
  desk: ['see_estate', 'see_all_orders', 'see_patrol', 'acknowledge_alarm', 'hold_alarm', 'see_figures', 'create_order', 'import_taps'],
  technician: ['see_estate', 'acknowledge_alarm', 'create_order'],
  guard: ['see_patrol', 'create_order', 'make_tap'],
  viewer: ['see_estate', 'see_all_orders', 'see_patrol'],
}

export const people = [
  { login: 'admin', name: '系统管理员', role: 'admin', phone: '', badges: [], disabled: false },
  { login: 'wang', name: '王经理', role: 'manager', phone: '13800000001', badges: [], disabled: false },
  { login: 'li', name: '李客服', role: 'desk', phone: '13800000002', badges: [], disabled: false },
  { login: 'zhang', name: '张师傅', role: 'technician', phone: '13800000003', badges: [], disabled: false },
  { login: 'chen', name: '陈师傅', role: 'technician', phone: '13800000004', badges: [], disabled: false },
  { login: 'zhao', name: '赵卫国', role: 'guard', phone: '13800000005', badges: ['04A035B2'], disabled: false },
  { login: 'sun', name: '孙大勇', role: 'guard', phone: '13800000006', badges: ['04A035B3', '0411223344'], disabled: false },
  { login: 'guest', name: '业委会', role: 'viewer', phone: '', badges: [], disabled: false },
  { login: 'qian', name: '钱离职', role: 'guard', phone: '', badges: [], disabled: true },
]

export const demoLogins = people.filter((p) => !p.disabled).map(({ login, role, name }) => ({ login, password: `${login}-demo`, role, name }))

const places = {
  'pump-room': text('生活泵房', 'Pump room'),
  'power-room': text('配电室', 'Power room'),
  garage: text('地下车库', 'Garage'),
}

const deviceOf = (id, name, kind, place, line, address, profile, extra = {}) => ({
  id, name, kind, place, place_name: places[place], line, address: String(address), profile, online: true, reason: null, last_seen: null, points: [], ...extra,
})

const running = { 0: text('停止', 'Stopped'), 1: text('运行', 'Running') }

export function makeDevices(now) {
  const devices = [
    deviceOf('pump-1', text('1号生活泵', 'Pump 1'), 'pump', 'pump-room', 'pump-house', 11, 'pump-controller'),
    deviceOf('pump-2', text('2号生活泵', 'Pump 2'), 'pump', 'pump-room', 'pump-house', 12, 'pump-controller'),
    deviceOf('tank', text('生活水箱', 'Water tank'), 'level', 'pump-room', 'pump-house', 31, 'qdy30a'),
    deviceOf('main-water', text('总水表', 'Main water meter'), 'water_meter', 'pump-room', 'pump-house', 21, 'tuf-2000'),
    deviceOf('main-power', text('总电表', 'Main electricity meter'), 'electricity_meter', 'power-room', 'meters', 1, 'eastron-sdm630'),
    deviceOf('garage-inputs', text('车库水浸', 'Garage flood sensors'), 'digital_input', 'garage', 'meters', 8, 'digital-input-8', { online: false, reason: 'no_answer', last_seen: iso(now - 47 * minute) }),
  ]
  const add = (device, quantity, name, kind, unit, decimals, value, more = {}) => {
    const d = devices.find((x) => x.id === device)
    d.last_seen ??= iso(now - 2_000)
    d.points.push({
      id: `${device}/${quantity}`, device, device_name: d.name, name, kind, unit, decimals, labels: null, min: null, max: null,
      value, quality: 'good', reason: '', time: iso(now - 2_000), stale_after: 90, ...more,
    })
  }
  for (const [id, on] of [['pump-1', 0], ['pump-2', 1]]) {
    add(id, 'run_state', text('运行状态', 'Run state'), 'state', '', 0, on, { labels: running })
    add(id, 'fault', text('故障', 'Fault'), 'alarm', '', 0, id === 'pump-1' ? 1 : 0)
    add(id, 'overload', text('过载', 'Overload'), 'alarm', '', 0, 0)
    add(id, 'frequency', text('运行频率', 'Frequency'), 'measure', 'Hz', 1, on ? 42.5 : 0)
    add(id, 'current', text('电流', 'Current'), 'measure', 'A', 1, on ? 8.6 : 0)
    add(id, 'outlet_pressure', text('出水压力', 'Outlet pressure'), 'measure', 'bar', 2, 4.12)
    add(id, 'hours', text('累计运行', 'Hours run'), 'counter', 'h', 0, 12_482)
  }
  add('tank', 'level', text('液位', 'Level'), 'measure', 'm', 2, 2.31)
  add('tank', 'unit_code', text('单位代码', 'Unit code'), 'measure', '', 0, 16, { detail: true })
  add('tank', 'temperature', text('水温', 'Water temperature'), 'measure', 'Cel', 1, 14.2, { quality: 'uncertain', reason: 'out_of_range' })
  add('main-water', 'flow', text('瞬时流量', 'Flow'), 'measure', 'm3/h', 2, 18.4)
  add('main-water', 'total', text('累计水量', 'Total'), 'counter', 'm3', 1, 184_213.6)
  add('main-power', 'active_power', text('有功功率', 'Active power'), 'measure', 'kW', 1, 126.4)
  add('main-power', 'voltage_l1', text('A相电压', 'Voltage L1'), 'measure', 'V', 1, 228.1)
  add('main-power', 'voltage_l2', text('B相电压', 'Voltage L2'), 'measure', 'V', 1, 0, { value: 229.0, time: iso(now - 12 * minute) })
  add('main-power', 'energy', text('正向有功电能', 'Active energy'), 'counter', 'kWh', 1, 918_224.7)
  add('garage-inputs', 'water_a', text('A区水浸', 'Water, zone A'), 'alarm', '', 0, 0, { value: 0, quality: 'bad', reason: 'no_answer', time: iso(now - 47 * minute) })
  add('garage-inputs', 'water_b', text('B区水浸', 'Water, zone B'), 'alarm', '', 0, 0, { value: 0, quality: 'bad', reason: 'no_answer', time: iso(now - 47 * minute) })
  return devices
}

export const tiles = ['pump-2/outlet_pressure', 'tank/level', 'main-water/flow', 'main-power/active_power', 'main-power/voltage_l2', 'garage-inputs/water_a']

export function makeAlarms(now) {
  const base = { checkpoint: null, round: null, unknown: false, value: null, unit: null, count: 1, cleared_at: null, acked_at: null, acked_by: null, ack_note: null, order_id: null }
  const shelf = { key: 'sump-high/garage-inputs', kind: 'shelved', rule: 'sump-high', rule_name: text('集水坑水位高', 'Sump level high'), device: 'garage-inputs', device_name: text('车库水浸', 'Garage flood sensors'), by: 'li', by_name: '李娟', reason: '等备件', since: iso(now - 70 * minute), until: iso(now + 170 * minute), one_shot: true }
  return [
    { ...base, id: 'a1', key: 'pump-fault/pump-1', rule: 'pump-fault', device: 'pump-1', device_name: text('1号生活泵', 'Pump 1'), place: 'pump-room', place_name: places['pump-room'], title: text('1号生活泵故障', 'Pump 1 has a fault'), advice: text('确认备用泵已投入，检查变频器故障代码，必要时断电复位一次。', 'See that the standby pump runs; read the fault code of the drive; reset it once if needed.'), priority: 'P1', state: 'unacknowledged', count: 3, raised_at: iso(now - 4 * minute), last_at: iso(now - 40_000), order_id: 'o1' },
    { ...base, id: 'a2', key: 'silent/garage-inputs', rule: 'silent', device: 'garage-inputs', device_name: text('车库水浸', 'Garage flood sensors'), place: 'garage', place_name: places.garage, title: text('车库水浸探测器无应答', 'Garage flood sensors do not answer'), advice: text('到场检查电源与 485 接线。', 'Check the power and the RS-485 wiring on site.'), priority: 'P2', state: 'acknowledged', unknown: true, raised_at: iso(now - 47 * minute), last_at: iso(now - 47 * minute), acked_at: iso(now - 40 * minute), acked_by: 'li', ack_note: '已通知陈师傅', order_id: 'o2' },
    { ...base, id: 'a3', key: 'level-low/tank', rule: 'level-low', device: 'tank', device_name: text('生活水箱', 'Water tank'), place: 'pump-room', place_name: places['pump-room'], title: text('水箱液位低', 'Tank level is low'), advice: null, priority: 'P3', state: 'returned', value: 0.82, unit: 'm', raised_at: iso(now - 3 * hour), last_at: iso(now - 3 * hour), cleared_at: iso(now - 2.4 * hour) },
    { ...base, id: 'a4', key: shelf.key, rule: shelf.rule, device: shelf.device, device_name: shelf.device_name, place: 'garage', place_name: places.garage, title: text('集水坑水位高', 'Sump level high'), advice: text('看排水泵是否在转，必要时手动启动。', 'See whether the drain pump runs; start it by hand if needed.'), priority: 'P2', state: 'acknowledged', shown: 'shelved', holds: [shelf], value: 1.92, unit: 'm', raised_at: iso(now - 80 * minute), last_at: iso(now - 80 * minute), acked_at: iso(now - 75 * minute), acked_by: 'li' },
    { ...base, id: 'a5', key: 'leak/water-b', rule: 'leak', device: 'main-water', device_name: text('总水表', 'Main water meter'), place: 'pump-room', place_name: places['pump-room'], title: text('总管爆管', 'Burst of the main'), advice: text('关总阀，沿管线查看，修好后复位。', 'Close the main valve, walk the line, reset when mended.'), priority: 'P1', state: 'latched_acknowledged', raised_at: iso(now - 5 * hour), last_at: iso(now - 5 * hour), cleared_at: iso(now - 4 * hour), acked_at: iso(now - 4.9 * hour), acked_by: 'li' },
  ].map((a) => ({ shown: a.state, holds: [], ...a }))
}

/** What else keeps alarms quiet: one is normal, one follows from another. */
export function makeHolds(now) {
  return [
    { key: 'no-flow/pump-2', kind: 'out_of_service', rule: 'no-flow', rule_name: text('运行而无流量', 'Runs without flow'), device: 'pump-2', device_name: text('2号生活泵', 'Pump 2'), by: 'zhang', by_name: '张师傅', order: 'o3', order_no: '20261122-0004', since: iso(now - 3 * hour), one_shot: false },
    { key: 'phase/main-power', kind: 'suppressed', rule: 'phase', rule_name: text('缺相', 'Phase lost'), device: 'main-power', device_name: text('总电表', 'Main meter'), by: 'system', by_name: '', cause: 'mains/main-power', cause_name: text('市电中断', 'Mains lost'), since: iso(now - 5 * minute), one_shot: false },
  ]
}

export function makeAlarmEvents(a, now) {
  const e = (id, at, actor, event, more = {}) => ({ id, at, actor, actor_name: people.find((p) => p.login === actor)?.name ?? actor, event, from: a.state, to: a.state, value: a.value ?? 0, ...more })
  return [
    e('v1', a.raised_at, 'system', 'raise'),
    ...(a.count > 1 ? [e('v2', a.last_at, 'system', 'recur')] : []),
    ...(a.acked_at ? [e('v3', a.acked_at, a.acked_by, 'acknowledge', { note: a.ack_note })] : []),
    ...a.holds.map((h) => e('v4', h.since, h.by, 'shelve', { note: h.reason })),
    ...(a.cleared_at ? [e('v5', a.cleared_at, 'system', 'clear', { value: 0.9 })] : []),
  ]
}

export function makeOrders(now) {
  const base = { device: null, device_name: null, place: null, place_name: null, assignee: null, assignee_name: null, count: 1, accepted_at: null, arrived_at: null, finished_at: null, overdue: false, reopened: 0, version: 1 }
  const due = (created, a, b, c) => ({ created_at: iso(created), last_at: iso(created), updated_at: iso(created), accept_by: iso(created + a * minute), arrive_by: iso(created + b * minute), finish_by: iso(created + c * minute) })
  const place = (id) => ({ place: id, place_name: places[id] })
  return [
    { ...base, id: 'o1', no: '20261122-0007', source: 'alarm', title: text('1号生活泵故障', 'Pump 1 has a fault'), detail: text('变频器报故障位，备用泵已投入。', 'The drive reports a fault; the standby pump runs.'), device: 'pump-1', device_name: text('1号生活泵', 'Pump 1'), ...place('pump-room'), priority: 'P1', state: 'new', ...due(now - 4 * minute, 5, 15, 120), count: 3 },
    { ...base, id: 'o2', no: '20261122-0006', source: 'alarm', title: text('车库水浸探测器无应答', 'Garage flood sensors do not answer'), detail: text('', ''), device: 'garage-inputs', device_name: text('车库水浸', 'Garage flood sensors'), ...place('garage'), priority: 'P2', state: 'assigned', assignee: 'zhang', assignee_name: '张师傅', ...due(now - 46 * minute, 10, 30, 720), overdue: true, version: 2 },
    { ...base, id: 'o3', no: '20261122-0004', source: 'desk', title: text('3号楼1单元水管漏水', '3号楼1单元水管漏水'), detail: text('业主王女士 139****1234，下午两点后在家', '业主王女士 139****1234，下午两点后在家'), ...place('garage'), priority: 'P3', state: 'in_progress', assignee: 'zhang', assignee_name: '张师傅', ...due(now - 2 * hour, 30, 240, 2880), accepted_at: iso(now - 110 * minute), arrived_at: iso(now - 30 * minute), version: 5 },
    { ...base, id: 'o4', no: '20261122-0003', source: 'patrol', title: text('漏巡：地下车库 B2', 'Missed patrol: garage B2'), detail: text('夜巡 02:00 一轮未到', 'Not reached in the round of 02:00'), ...place('garage'), priority: 'P3', state: 'completed', assignee: 'zhao', assignee_name: '赵卫国', ...due(now - 6 * hour, 30, 240, 2880), accepted_at: iso(now - 5.8 * hour), arrived_at: iso(now - 5.5 * hour), finished_at: iso(now - 5 * hour), version: 6 },
    { ...base, id: 'o5', no: '20261121-0011', source: 'staff', title: text('东门道闸抬杆慢', '东门道闸抬杆慢'), detail: text('', ''), priority: 'P4', state: 'closed', assignee: 'chen', assignee_name: '陈师傅', ...due(now - 30 * hour, 120, 1440, 10080), finished_at: iso(now - 20 * hour), version: 8 },
  ]
}

export function makeEvents(now) {
  const e = (id, ago, actor, action, more = {}) => ({ id, at: iso(now - ago), actor, actor_name: people.find((p) => p.login === actor)?.name ?? null, action, from: null, to: null, note: null, target: null, target_name: null, photo: null, ...more })
  return {
    o1: [e('e1', 4 * minute, 'system', 'create', { to: 'new' }), e('e2', 2 * minute, 'system', 'recur', { note: '第 2 次' }), e('e3', 40_000, 'system', 'recur', { note: '第 3 次' })],
    o2: [e('e4', 46 * minute, 'system', 'create', { to: 'new' }), e('e5', 41 * minute, 'li', 'assign', { from: 'new', to: 'assigned', target: 'zhang', target_name: '张师傅' })],
    o3: [e('e6', 120 * minute, 'li', 'create', { to: 'new' }), e('e7', 118 * minute, 'li', 'assign', { target: 'zhang', target_name: '张师傅' }), e('e8', 110 * minute, 'zhang', 'accept'), e('e9', 30 * minute, 'zhang', 'arrive'), e('e10', 28 * minute, 'zhang', 'photo', { photo: 'p1', note: '接头处' }), e('e11', 26 * minute, 'zhang', 'start')],
    o4: [e('e12', 6 * hour, 'system', 'create', { to: 'new' }), e('e13', 5 * hour, 'zhao', 'complete', { note: '已补巡，门锁正常' })],
    o5: [e('e14', 30 * hour, 'zhao', 'create', { to: 'new' }), e('e15', 20 * hour, 'chen', 'complete', { note: '更换弹簧' }), e('e16', 19 * hour, 'wang', 'verify'), e('e17', 18 * hour, 'wang', 'close')],
  }
}

export const checkpoints = [
  { id: 'gate', name: text('东门', 'East gate'), place: 'gate', place_name: text('东门', 'East gate'), token: 'gate-7f3a91' },
  { id: 'pump-room', name: text('生活泵房', 'Pump room'), place: 'pump-room', place_name: places['pump-room'], token: 'pump-2b8c44' },
  { id: 'power-room', name: text('配电室', 'Power room'), place: 'power-room', place_name: places['power-room'], token: 'power-91ee02' },
  { id: 'garage-b2', name: text('地下车库 B2', 'Garage B2'), place: 'garage', place_name: places.garage, token: 'garage-55d0aa' },
  { id: 'roof', name: text('3号楼屋面', 'Roof of building 3'), place: 'roof', place_name: text('屋面', 'Roof'), token: 'roof-c0ffee' },
]

export function makeRounds(now) {
  const visit = (i, verdict, more = {}) => ({ checkpoint: checkpoints[i].id, name: checkpoints[i].name, verdict, out_of_order: false, tapped_at: null, by: null, by_name: null, corrected: false, ...more })
  const by = { by: 'zhao', by_name: '赵卫国' }
  const round = (id, start, state, visits, more = {}) => ({ id, plan: 'night', route: 'night', name: text('夜巡', 'Night patrol'), start: iso(start), end: iso(start + 45 * minute), tolerance: 600, in_order: false, assignee: null, assignee_name: null, state, visits, ...more })
  const start = now - 12 * minute
  return [
    round('r1', start - 4 * hour, 'completed', [0, 1, 2, 3, 4].map((i) => visit(i, 'on_time', { tapped_at: iso(start - 4 * hour + i * 7 * minute), ...by }))),
    round('r2', start - 2 * hour, 'incomplete', [visit(0, 'early', { tapped_at: iso(start - 2 * hour - 3 * minute), ...by }), visit(1, 'on_time', { tapped_at: iso(start - 2 * hour + 9 * minute), ...by, corrected: true }), visit(2, 'late', { tapped_at: iso(start - 2 * hour + 50 * minute), ...by, out_of_order: true }), visit(3, 'missed'), visit(4, 'exempt')]),
    round('r3', start, 'in_progress', [visit(0, 'on_time', { tapped_at: iso(start + 3 * minute), ...by }), visit(1, 'pending'), visit(2, 'pending'), visit(3, 'pending'), visit(4, 'pending')], { in_order: true, assignee: 'zhao', assignee_name: '赵卫国' }),
    round('r4', start + 2 * hour, 'scheduled', [0, 1, 2, 3, 4].map((i) => visit(i, 'pending'))),
  ]
}

const line = (id, protocol, port, devices, more) => ({
  id, protocol, port, state: 'up', requests: 0, timeouts: 0, errors: 0, utilisation: 0, planned: 0, opened: 1, readings: 0, taps: 0, dropped: 0, waiting: 0,
  wire: { crc_errors: 0, exceptions: 0, stale: 0, resyncs: 0, wrong_units: 0 }, devices, ...more,
})

const fieldDevice = (now, id, address, turnaround_ms, timeout_ms, more) => ({
  id, protocol: 'modbus', address, online: true, last_seen: iso(now - 800), requests: 90_114, timeouts: 0, crc_errors: 0, exceptions: 0, turnaround_ms, timeout_ms, ...more,
})

export function makeHealth(now, version) {
  return {
    at: iso(now), version, uptime: 86_400 * 3 + 7_200, memory: 54_525_952,
    summary: {
      state: 'trouble', since: iso(now - 47 * minute),
      text: text('自 21:13 起（47 分钟）总线 heat-station 中断（另有 1 项）', 'since 21:13 (47 min) line heat-station is down (and 1 more)'),
      all: [
        { what: 'line', since: iso(now - 47 * minute), text: text('自 21:13 起（47 分钟）总线 heat-station 中断', 'since 21:13 (47 min) line heat-station is down') },
        { what: 'line', since: iso(now - 9 * minute), text: text('自 21:51 起（9 分钟）总线 gate-reader 中断', 'since 21:51 (9 min) line gate-reader is down') },
      ],
    },
    law: {
      since: iso(now - 40 * 24 * hour), kills: 2, read: 48_213_907, delivered: 48_201_455, queued: 46, dropped: 12_406, dropped_by: { evicted: 12_400, invalid: 6 }, difference: 0,
      streams: [
        { site: 'demo', gateway: 'gw1', stream: 'telemetry', own: true, since: iso(now - 40 * 24 * hour), kills: 2, read: 48_102_331, delivered: 48_089_882, queued: 43, dropped: 12_406, dropped_by: { evicted: 12_400, invalid: 6 }, difference: 0 },
        { site: 'demo', gateway: 'gw1', stream: 'urgent', own: true, since: iso(now - 40 * 24 * hour), kills: 0, read: 111_576, delivered: 111_576, queued: 0, dropped: 0, dropped_by: {}, difference: 0 },
      ],
      hub: { read: 48_201_458, delivered: 48_201_458, queued: 0, dropped: 0, dropped_by: {}, difference: 0 },
      history: { read: 48_201_458, delivered: 48_201_455, queued: 3, dropped: 0, dropped_by: {}, difference: 0 },
      judge: { read: 48_201_458, delivered: 48_201_458, queued: 0, dropped: 0, dropped_by: {}, difference: 0 },
    },
    clock: { state: 'synchronised', time: iso(now), wall: iso(now), synced: true, differs: 0.012, steps: [], restamped: 0, doubtful: 0 },
    intake: { refused: 0, trouble: {}, streams: [
      { gateway: 'gw1', stream: 'telemetry', readings: 981_220, taps: 0, batches: 98_122, duplicates: 0, gaps: 1, dropped: 0 },
      { gateway: 'gw1', stream: 'urgent', readings: 4_120, taps: 92, batches: 4_212, duplicates: 2, gaps: 0, dropped: 0 },
    ] },
    streams: [
      { gateway: 'gw1', stream: 'urgent', epoch: '01', sent: 4_212, acknowledged: 4_212, queued_bytes: 0, queued: 0, oldest: null, resent: 2, duplicates: 2, dropped: 0, window: 64, in_flight: 0, runs: 1 },
      { gateway: 'gw1', stream: 'telemetry', epoch: '01', sent: 981_223, acknowledged: 981_220, queued_bytes: 18_400, queued: 3, oldest: iso(now - 4_000), resent: 0, duplicates: 0, dropped: 25, dropped_by: { evicted: 25 }, window: 96, in_flight: 3, runs: 2 },
    ],
    lines: [
      line('pump-house', 'modbus-rtu', '/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0', [
        fieldDevice(now, 'pump-1', '11', 21.4, 250), fieldDevice(now, 'pump-2', '12', 6.9, 250, { timeouts: 12, last_error: 'read 1 word at 40003 of slave 12: no reply within 250ms' }),
        fieldDevice(now, 'tank', '31', 6.9, 500), fieldDevice(now, 'main-water', '21', 48.3, 500),
      ], { requests: 812_331, timeouts: 12, utilisation: 0.41, planned: 0.38, wire: { crc_errors: 0, exceptions: 0, stale: 3, resyncs: 2, wrong_units: 0 } }),
      line('meters', 'dlt645', '192.168.1.50:502', [
        fieldDevice(now, 'main-power', '202111220001', 61, 700, { protocol: 'dlt645' }),
        fieldDevice(now, 'garage-inputs', '8', 0, 1_000, { online: false, reason: 'no_answer', last_seen: iso(now - 47 * minute), timeouts: 211, last_error: 'read 8 inputs at 10001 of slave 8: no reply within 1s' }),
      ], { requests: 211_901, timeouts: 214, errors: 1, utilisation: 0.93, planned: 0.96 }),
      line('heat-station', 'modbus-rtu', '0.0.0.0:9000', [fieldDevice(now, 'heat-1', '1', 0, 1_000, { online: false, reason: 'line_down', last_seen: null })], { dials_in: true, state: 'down', reason: 'wait at 0.0.0.0:9000: no box has dialled in yet', opened: 0 }),
      line('gate-reader', 'keyboard', '/dev/input/by-id/usb-Sycreader_USB_Reader_08FF20150112-event-kbd', [], { state: 'down', reason: 'open /dev/input/by-id/usb-Sycreader_USB_Reader_08FF20150112-event-kbd: no such file or directory', errors: 4 }),
      line('garage-reader', 'pn532', '/dev/ttyUSB1', [], { taps: 36 }),
    ],
    dead_letters: [{ at: iso(now - 3 * hour), topic: 'gengfu/demo/gw1/telemetry', reason: 'decode the batch: unexpected end', size: 1_204, excerpt: '' }],
    consumers: [{ name: 'history', position: 985_432, behind: 3 }, { name: 'judge', position: 985_435, behind: 0 }],
    judge: { set_aside: 0, unwritten: 0, late: 0, failed: 0, mistimed: 0, learning: [{ rule: 'water-use-unusual', devices: 12 }, { rule: 'electricity-use-unusual', devices: 1 }] },
    history: { engine: 'embedded', last_write: iso(now - 1_500), error: '' }, ledger: { engine: 'sqlite', last_write: iso(now - 4_200) },
    gateways: [{ id: 'gw1', online: true, since: iso(now - 3 * 24 * hour), version, clock: 'synchronised' }],
  }
}

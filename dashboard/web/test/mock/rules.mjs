// Rules, their backtests and the figures of alarms, made up for looking at the pages.
const say = (zh, en) => ({ zh, en })
const hour = 3_600_000
const day = 24 * hour

const pressureLow = `id: pump-pressure-low
name: {zh: 出口压力低, en: outlet pressure low}
advice: {zh: 检查进水阀、水箱液位和变频器；仍低时切换备用泵, en: "Check inlet valve, tank level and drive; switch to the standby pump if it stays low"}
priority: P2
for: {kinds: [pump]}
when: outlet_pressure < 2 bar
clear: outlet_pressure > 2.5 bar
on_delay: 30s
order: {category: pump}
`
const slower = pressureLow.replace('on_delay: 30s', 'on_delay: 5m')

function rule(id, name, priority, devices, condition, more = {}) {
  return { id, name, advice: say('到现场查看并处理', 'Go and see to it'), priority, origin: 'file', file: 'pumps.yaml', devices, condition, version: 0, author: '', author_name: '', at: null, standing: 0, ...more }
}

export function createRules(iso, now, devices, alarms, refuse) {
  const of = (kind) => devices.filter((d) => d.kind === kind).map((d) => d.id)
  const at = iso(now() - 2 * day)
  const list = [
    rule('pump-fault', say('水泵故障', 'pump fault'), 'P1', of('pump'), 'fault == 1', { standing: 1 }),
    rule('pump-pressure-low', say('出口压力低', 'outlet pressure low'), 'P2', of('pump'), 'outlet_pressure < 2 bar', { origin: 'override', version: 2, author: 'wang', author_name: '王经理', at }),
    rule('pump-short-cycling', say('水泵启停过于频繁', 'pump starts too often'), 'P3', of('pump'), 'edges(running, 1h) > 8'),
    rule('water-never-still', say('24小时无零流量，疑似漏水', 'no hour without flow, as of a leak'), 'P3', of('water_meter'), 'rate(total, 1h) > still and held(rate(total, 1h) > still, 24h)', { file: 'water.yaml' }),
    rule('tank-low', say('水箱液位低', 'tank low'), 'P2', of('level'), 'level < 0.8 m', { origin: 'own', file: '', version: 1, author: 'wang', author_name: '王经理', at }),
    rule('device-offline', say('设备无应答', 'device does not answer'), 'P3', devices.map((d) => d.id), 'never(online, 5m)', { file: 'devices.yaml' }),
    rule('lift-fault', say('电梯故障', 'lift fault'), 'P2', [], 'fault == 1', { origin: 'own', file: '', version: 1, author: 'wang', author_name: '王经理', at, left_out: [{ path: 'for', line: 5, column: 1, what: say('本规则没有选中任何设备。', 'The rule selects no device.'), cure: say('请放宽选择。', 'Widen the selection.') }] }),
  ]
  const versions = new Map([['pump-pressure-low', [
    { version: 2, at, author: 'wang', author_name: '王经理', reason: '雨季误报多，延时加到 5 分钟', source: slower },
    { version: 1, at: iso(now() - 9 * day), author: 'admin', author_name: '系统管理员', reason: '试一试更高的限值', source: pressureLow.replace('< 2 bar', '< 2.2 bar') },
  ]]])
  const sources = new Map([['pump-pressure-low', slower]])

  function detail(id) {
    const r = list.find((x) => x.id === id)
    if (!r) throw refuse()
    const source = sources.get(id) ?? pressureLow.replace('pump-pressure-low', id)
    const points = (r.devices ?? []).flatMap((d) => devices.find((x) => x.id === d).points.filter((p) => r.condition.includes(p.id.slice(d.length + 1))).map((p) => p.id))
    return { rule: r, source, ...(r.origin === 'override' ? { of_file: pressureLow } : {}), versions: versions.get(id) ?? [], points }
  }

  function check(source) {
    const lines = source.split('\n')
    const line = lines.findIndex((l) => l.includes('presure')) + 1
    return line
      ? { problems: [{ path: 'when', line, column: lines[line - 1].indexOf('presure') + 1, what: say('设备没有 "outlet_presure" 这个量。', 'The device has no quantity "outlet_presure".'), cure: say('是不是 "outlet_pressure"？', 'Did you mean "outlet_pressure"?') }], devices: [], points: [] }
      : { problems: [], devices: of('pump'), points: of('pump').map((d) => `${d}/outlet_pressure`) }
  }

  function save(id, body, p) {
    const r = list.find((x) => x.id === id)
    const all = versions.get(id) ?? []
    all.unshift({ version: all.length + 1, at: iso(now()), author: p.login, author_name: p.name, reason: body.reason, source: body.source })
    versions.set(id, all)
    if (body.source) sources.set(id, body.source)
    else sources.delete(id)
    Object.assign(r, { origin: body.source ? 'override' : 'file', version: all.length, author: p.login, author_name: p.name, at: iso(now()) })
    return detail(id)
  }

  function backtest({ source, from, to }) {
    const [a, b] = [Date.parse(from), Date.parse(to)]
    const n = source?.includes('5m') || !source ? 3 : 9
    const occurrences = Array.from({ length: n }, (_, i) => {
      const t = a + ((i + 0.6) / n) * (b - a)
      return { key: `pump-pressure-low/${of('pump')[i % 2]}`, rule: 'pump-pressure-low', device: of('pump')[i % 2], title: say('出口压力低', 'Outlet pressure low'), priority: 'P2', from: iso(t), to: i === n - 1 ? null : iso(t + (b - a) / n / 4), value: 1.82 - i / 50, unit: 'bar', order: i === 0 ? 'new' : i === 1 ? 'reopened' : 'counted' }
    })
    return [{ progress: 0.3 }, { progress: 0.8 }, { result: { from, to, readings: 48_210, alarms: n, orders: 1, reopened: 1, notices: n - 1, standing: 0, unheard: ['pump-pressure-low/pump-3'], unknown: [], occurrences } }]
  }

  function figures(q) {
    const long = Date.parse(q.get('to')) - Date.parse(q.get('from')) >= 29.9 * day
    const f = (value, limit, source = 'ISA-18.2') => ({ value, limit, within: value <= limit, source })
    const sources = list.slice(0, 5).map((r, i) => ({ key: `${r.id}/${r.devices[0]}`, title: say(`${devices[i].name.zh} ${r.name.zh}`, `${devices[i].name.en} ${r.name.en}`), device: r.devices[0], count: 80 - 15 * i, share: (80 - 15 * i) / 400 }))
    sources.push({ key: 'patrol/night/gate', title: say('漏巡：夜巡 22:00 · 东门', 'Missed patrol: Night patrol 22:00 · East gate'), count: 4, share: 0.01 })
    return {
      from: q.get('from'), to: q.get('to'), duty: 1, told: 400, representative: long,
      rate: f(0.093, 1, 'EEMUA 191'), peak: f(14, 10), flood: f(0.0042, 0.01), chattering: f(3.5, 0), standing: f(0.4, 5), high: f(0.03, 0.05), urgent: f(0.185, 0.2), top: f(0.63, 0.05),
      priorities: { P1: 12, P2: 62, P3: 250, P4: 76 }, sources, acknowledged: 371, ack_median: 48, ack_p90: 1_260,
      now: { chattering: [{ key: 'pump-short-cycling/pump-2', title: say('2号生活泵 启停过于频繁', 'Pump 2 starts too often'), since: iso(now() - hour), count: 23 }], stale: alarms().filter((x) => x.state !== 'normal').slice(0, 1) },
    }
  }

  /** answer is what the mock says to a request; undefined where it is no business of rules. */
  return function answer(method, path, q, body, p) {
    const id = /^\/api\/rules\/([^/]+)$/.exec(path)?.[1]
    if (method === 'GET' && path === '/api/alarm-figures') return figures(q)
    if (method === 'GET' && path === '/api/rules') return { rules: list, may_edit: ['admin', 'manager'].includes(p.role) }
    if (method === 'POST' && path === '/api/rules/check') return check(body.source)
    if (method === 'POST' && path === '/api/rules/backtest') return { lines: backtest(body) }
    if (method === 'GET' && id) return detail(decodeURIComponent(id))
    if (method === 'PUT' && id) return save(decodeURIComponent(id), body, p)
  }
}

// A small server of docs/api.md over the built app, to look at the pages without
// the Go side: node test/mock/server.mjs [port]. It judges nothing properly.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { deflateSync } from 'node:zlib'
import * as estate from './estate.mjs'
import { createRules } from './rules.mjs'

const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', webmanifest: 'application/manifest+json' }
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const say = (zh, en) => ({ zh, en })

class Refusal extends Error {
  constructor(status, code, message) {
    super(code)
    Object.assign(this, { status, body: { error: { code, message } } })
  }
}
const notFound = () => new Refusal(404, 'not_found', say('没有找到', 'Not found'))

/** A grey picture with a frame, as PNG, to stand for a photo. */
function picture(size = 160) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(data.length)
    body.copy(out, 4)
    out.writeUInt32BE(crc(body), body.length + 4)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(size)
  head.writeUInt32BE(size, 4)
  head.set([8, 0, 0, 0, 0], 8)
  const rows = Buffer.alloc(size * (size + 1))
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) rows[y * (size + 1) + x + 1] = Math.abs(x - y) < 6 ? 60 : 150 + ((x * y) % 40)
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
}
function crc(b) {
  let c = ~0
  for (const x of b) {
    c ^= x
    for (let k = 0; k < 8; k++) c = (c >>> 1) ^ (0xedb88320 & -(c & 1))
  }
  return ~c >>> 0
}

/** The first file of a multipart body: what stands between its headers and the next boundary. */
function fileOf(body) {
  const head = body.indexOf('Content-Type:')
  const start = body.indexOf('\r\n\r\n', head) + 4
  const boundary = body.subarray(0, body.indexOf('\r\n'))
  return { type: /Content-Type: (\S+)/.exec(body.toString('latin1', head, start))[1], data: body.subarray(start, body.indexOf(boundary, start) - 2) }
}

export function createMock({ version = 'mock', now = Date.now } = {}) {
  const devices = estate.makeDevices(now())
  const orders = estate.makeOrders(now())
  const events = estate.makeEvents(now())
  let alarms = estate.makeAlarms(now())
  let holds = [...alarms.flatMap((a) => a.holds), ...estate.makeHolds(now())]
  const rounds = estate.makeRounds(now())
  const taps = []
  const rules = createRules(estate.iso, now, devices, () => alarms, notFound)
  const sessions = new Map()
  const clients = new Set()
  let serial = 100
  const photos = new Map([['p1', { type: 'image/png', data: picture() }]])

  const send = (type, data) => { for (const c of clients) c.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`) }
  const points = () => devices.flatMap((d) => d.points)

  function overview() {
    const standing = alarms.filter((a) => a.state !== 'normal' && !a.holds.length)
    const open = orders.filter((o) => !['verified', 'closed', 'cancelled'].includes(o.state))
    const visits = rounds.flatMap((r) => r.visits)
    const count = (p) => standing.filter((a) => a.priority === p).length
    const serious = standing.some((a) => a.state !== 'returned' && (a.priority === 'P1' || a.priority === 'P2'))
    return {
      at: estate.iso(now()), state: serious ? 'alarm' : standing.length ? 'attention' : 'ok',
      summary: serious ? say('1号生活泵故障；车库水浸探测器无应答', 'Pump 1 has a fault; the garage flood sensors do not answer') : say('所有设备运行正常', 'All devices run as they should'),
      alarms: { standing: standing.length, unacknowledged: standing.filter((a) => a.state === 'unacknowledged' || a.state === 'returned').length, held: holds.length, P1: count('P1'), P2: count('P2'), P3: count('P3'), P4: count('P4') },
      orders: { open: open.length, unassigned: open.filter((o) => !o.assignee).length, overdue: open.filter((o) => o.overdue).length },
      patrol: { expected: visits.length, reached: visits.filter((v) => v.tapped_at).length, missed: visits.filter((v) => v.verdict === 'missed').length, next: rounds[3] },
      devices: { total: devices.length, online: devices.filter((d) => d.online).length, offline: devices.filter((d) => d.online === false).length },
      tiles: estate.tiles.map((id) => points().find((p) => p.id === id)),
    }
  }

  const way = {
    new: { assign: 'assigned', cancel: 'cancelled' }, assigned: { assign: 'assigned', accept: 'accepted', return: 'new', cancel: 'cancelled' },
    accepted: { assign: 'assigned', arrive: 'arrived', return: 'new', cancel: 'cancelled' }, arrived: { assign: 'assigned', start: 'in_progress', complete: 'completed', hold: 'on_hold', cancel: 'cancelled' },
    in_progress: { assign: 'assigned', complete: 'completed', hold: 'on_hold', cancel: 'cancelled' }, on_hold: { assign: 'assigned', resume: 'in_progress', cancel: 'cancelled' },
    completed: { verify: 'verified', reopen: 'reopened' }, verified: { close: 'closed', reopen: 'reopened' }, closed: { reopen: 'reopened' }, reopened: { assign: 'assigned', cancel: 'cancelled' }, cancelled: {},
  }
  const onSite = ['accept', 'return', 'arrive', 'start', 'hold', 'resume', 'complete']
  const offered = ['assign', 'accept', 'arrive', 'start', 'resume', 'complete', 'verify', 'close', 'hold', 'return', 'reopen', 'cancel']

  function shown(o, p) {
    const dispatcher = ['admin', 'manager', 'desk'].includes(p.role)
    const actions = offered.filter((a) => way[o.state][a] && (onSite.includes(a) ? o.assignee === p.login : dispatcher))
    if ((dispatcher || o.assignee === p.login) && !['closed', 'cancelled'].includes(o.state)) actions.push('comment', 'photo')
    return { ...o, actions }
  }
  function detail(o, p) {
    const assignable = shown(o, p).actions.includes('assign')
      ? estate.people.filter((x) => ['technician', 'guard'].includes(x.role) && !x.disabled).map((x) => ({ login: x.login, name: x.name, role: x.role, open_orders: orders.filter((y) => y.assignee === x.login && !['verified', 'closed', 'cancelled'].includes(y.state)).length }))
      : []
    return { order: shown(o, p), events: events[o.id] ?? [], alarms: alarms.filter((a) => a.order_id === o.id), assignable }
  }
  function orderOf(id) {
    const o = orders.find((x) => x.id === id)
    if (!o) throw notFound()
    return o
  }
  function note(o, p, action, more) {
    (events[o.id] ??= []).push({ id: `e${serial++}`, at: estate.iso(now()), actor: p.login, actor_name: p.name, action, from: null, to: null, note: null, target: null, target_name: null, photo: null, ...more })
    o.version++
    o.updated_at = estate.iso(now())
    send('order', { ...o, actions: null })
    send('overview', overview())
  }

  function act(o, p, body) {
    if (!['comment'].includes(body.action)) {
      if (body.version && body.version !== o.version) throw new Refusal(409, 'conflict', say('别人刚改过', 'Somebody else changed it'))
      const to = way[o.state][body.action]
      if (!to) throw new Refusal(409, 'unlawful', say('现在不能这样做', 'Not in this state'))
      o.state = to
    }
    const person = estate.people.find((x) => x.login === body.target)
    if (body.action === 'assign') Object.assign(o, { assignee: person.login, assignee_name: person.name })
    const stamps = { accept: 'accepted_at', arrive: 'arrived_at', complete: 'finished_at' }
    if (stamps[body.action]) o[stamps[body.action]] = estate.iso(now())
    note(o, p, body.action, { to: o.state, note: body.note || null, target: person?.login ?? null, target_name: person?.name ?? null })
    return detail(o, p)
  }

  function history(path, q) {
    const [, , , device, quantity] = path.split('/')
    const point = points().find((p) => p.id === `${device}/${quantity}`)
    if (!point) throw notFound()
    const from = Date.parse(q.get('from')), to = Date.parse(q.get('to')), step = Math.max(10, Math.round((to - from) / 300_000))
    const buckets = []
    for (let t = from, i = 0; t < to; t += step * 1000, i++) {
      if (i > 180 && i < 200) continue
      const swing = Math.sin(t / 8.64e7 * 2 * Math.PI) * 0.2 + Math.sin(i * 1.7) * 0.04
      const mean = point.kind === 'counter' ? point.value - (to - t) / 3.6e6 * 18 : point.kind === 'measure' ? (point.value || 5) * (1 + swing) : Number(Math.floor(i / 40) % 2)
      const room = point.kind === 'measure' ? Math.abs(mean) * 0.06 : 0
      buckets.push({ t: estate.iso(t), count: 10, mean, min: mean - room, max: mean + room, last: mean })
    }
    return { point, from: estate.iso(from), to: estate.iso(to), step, buckets }
  }

  function consumption(path, q) {
    const [, , , device, quantity] = path.split('/')
    const point = points().find((p) => p.id === `${device}/${quantity}`)
    const n = Number(q.get('days') ?? 30)
    const days = Array.from({ length: n }, (_, i) => {
      const day = estate.iso(now() - (n - 1 - i) * 86_400_000).slice(0, 10)
      return { day, amount: i === 9 ? null : 420 + 60 * Math.sin(i * 1.3) - (i === n - 1 ? 250 : 0), complete: i !== n - 1, ...(i === 17 ? { reset: true } : {}) }
    })
    return { point, unit: point.unit, days }
  }

  function takeTap(p, t) {
    const c = estate.checkpoints.find((x) => x.token === t.token)
    if (!c) return { id: t.id, accepted: false, checkpoint: null, error: { code: 'not_found', message: say('没有这个巡更点', 'There is no such checkpoint') } }
    if (!taps.some((x) => x.id === t.id)) {
      const tap = { id: t.id, source: t.source, reader: null, checkpoint: c.id, checkpoint_name: c.name, person: p.login, person_name: p.name, tapped_at: t.tapped_at, received_at: estate.iso(now()), flags: [] }
      taps.unshift(tap)
      const visit = rounds[2].visits.find((v) => v.checkpoint === c.id)
      if (visit?.verdict === 'pending') Object.assign(visit, { verdict: 'on_time', tapped_at: t.tapped_at, by: p.login, by_name: p.name })
      send('tap', tap)
      send('round', rounds[2])
    }
    return { id: t.id, accepted: true, checkpoint: publicCheckpoint(c), error: null }
  }
  /** A dump's lines, split at commas below their headings; whatever names no checkpoint is wrong. */
  function importDump(body) {
    const field = (name) => new RegExp(`name="${name}"\\r\\n\\r\\n([^\\r]*)`).exec(body.toString())?.[1] ?? ''
    const column = Object.fromEntries(field('columns').split(',').map((part) => part.split('=')))
    const dry = field('dry_run') === 'true'
    const met = new Set()
    const lines = fileOf(body).data.toString().trim().split(/\r?\n/).map((line, i) => ({ line: i + 1, cells: line.split(',') })).slice(1).map(({ line, cells }) => {
      const cell = (thing) => cells[column[thing] - 1]?.trim() ?? ''
      const c = estate.checkpoints.find((x) => [x.name.zh, x.name.en, x.id].includes(cell('checkpoint')))
      if (!c) return { line, state: 'wrong', what: say(`没有巡更点的标签或名称是“${cell('checkpoint')}”。`, `No checkpoint has the tag or the name "${cell('checkpoint')}".`), cure: say('请把它写进该巡更点的 tags，然后再次导入。', 'Write it in the tags of its checkpoint, then bring the dump in again.') }
      const who = estate.people.find((x) => [x.name, x.login].includes(cell('guard') || field('guard')))
      const tapped = estate.iso(Date.parse(`${cell('time').replace(' ', 'T')}+08:00`))
      const tap = { id: `${cell('wand') || field('wand')} ${c.id} ${tapped}`, source: 'wand', reader: cell('wand') || field('wand'), checkpoint: c.id, checkpoint_name: c.name, person: who?.login, person_name: who?.name, tapped_at: tapped, received_at: estate.iso(now()), flags: [] }
      const state = taps.some((x) => x.id === tap.id) || met.has(tap.id) ? 'known' : 'new'
      met.add(tap.id)
      if (state === 'new' && !dry) taps.unshift(tap)
      return { line, state, tap }
    })
    const count = (state) => lines.filter((l) => l.state === state).length
    return { dry_run: dry, new: count('new'), known: count('known'), wrong: count('wrong'), lines }
  }
  const publicCheckpoint = ({ token, ...c }) => ({ ...c, token_sha256: createHash('sha256').update(token).digest('hex') })

  const session = (p) => ({
    person: p ?? null, permissions: p ? estate.permissions[p.role] : [], site: { id: 'demo', name: say('翠湖花园', 'Emerald Lake Garden'), zone: 'Asia/Shanghai' },
    version, now: estate.iso(now()), demo_logins: estate.demoLogins, extensions: p?.role === 'admin' || p?.role === 'manager' ? [{ path: '/demo', name: say('演示面板', 'Demo panel') }] : [],
  })

  async function api(req, url, p) {
    const { pathname: path, searchParams: q } = url
    const key = `${req.method} ${path}`
    const body = ['POST', 'PUT', 'PATCH'].includes(req.method) ? await read(req) : null
    if (key === 'GET /api/session') return session(p)
    if (key === 'POST /api/session') {
      const who = estate.people.find((x) => x.login === body.login && `${x.login}-demo` === body.password)
      if (!who) throw new Refusal(401, 'wrong_login', say('账号或密码不对', 'Wrong login or password'))
      const token = `s${serial++}`
      sessions.set(token, who)
      return { answer: session(who), cookie: `gengfu=${token}; Path=/; HttpOnly; SameSite=Lax` }
    }
    if (!p) throw new Refusal(401, 'signed_out', say('请先登录', 'Please sign in'))
    if (key === 'DELETE /api/session') return { answer: undefined, cookie: 'gengfu=; Path=/; Max-Age=0' }
    if (key === 'GET /api/overview') return overview()
    const said = rules(req.method, path, q, body, p)
    if (said) return said
    if (key === 'GET /api/devices') return { devices }
    if (path.startsWith('/api/devices/')) return devices.find((d) => d.id === path.split('/')[3]) ?? (() => { throw notFound() })()
    if (path.startsWith('/api/history/')) return history(path, q)
    if (path.startsWith('/api/consumption/')) return consumption(path, q)
    if (key === 'GET /api/alarms') return { alarms: alarms.filter((a) => (q.get('show') === 'all' || a.state !== 'normal') && (!q.get('device') || a.device === q.get('device'))) }
    if (/^POST \/api\/alarms\/[^/]+\/acknowledge$/.test(key)) {
      const a = alarms.find((x) => x.id === path.split('/')[3])
      const state = a.state === 'returned' ? 'normal' : 'acknowledged'
      Object.assign(a, { state, shown: state, acked_at: estate.iso(now()), acked_by: p.login, ack_note: body.note || null })
      send('alarm', a)
      send('overview', overview())
      return a
    }
    if (/^GET \/api\/alarms\/[^/]+$/.test(key)) {
      const alarm = alarms.find((x) => x.id === path.split('/')[3])
      if (!alarm) throw notFound()
      return { alarm, events: estate.makeAlarmEvents(alarm, now()), longest_shelf: 4 * 3600, note_needed: false }
    }
    if (key === 'GET /api/holds') return { holds }
    if (key === 'POST /api/holds') {
      const a = alarms.find((x) => x.key === body.key)
      const h = { ...body, order: body.order || null, rule: a.rule, rule_name: a.title, device: a.device, device_name: a.device_name, by: p.login, by_name: p.name, since: estate.iso(now()) }
      holds = [...holds, h]
      Object.assign(a, { holds: [h], shown: h.kind })
      send('alarm', a)
      send('overview', overview())
      return h
    }
    if (key === 'POST /api/holds/release') {
      holds = holds.filter((h) => h.key !== body.key || h.kind !== body.kind)
      for (const a of alarms.filter((x) => x.key === body.key)) {
        Object.assign(a, { holds: [], shown: a.state })
        send('alarm', a)
      }
      send('overview', overview())
      return undefined
    }
    if (key === 'GET /api/orders') {
      const show = q.get('show') ?? 'open', ended = ['verified', 'closed', 'cancelled']
      return { orders: orders.filter((o) => (show === 'all' || (show === 'mine' ? o.assignee === p.login : ended.includes(o.state) === (show === 'done'))) && (!q.get('q') || JSON.stringify(o).includes(q.get('q')))).map((o) => shown(o, p)) }
    }
    if (key === 'POST /api/orders') {
      const at = estate.iso(now())
      const o = { ...orders[4], id: `o${serial}`, no: `20261122-${String(serial++).padStart(4, '0')}`, source: 'desk', title: say(body.title, body.title), detail: say(body.detail, body.detail), place: body.place || null, place_name: null, device: body.device || null, priority: body.priority, state: 'new', assignee: null, assignee_name: null, created_at: at, last_at: at, updated_at: at, accept_by: estate.iso(now() + 1_800_000), finished_at: null, version: 1 }
      orders.unshift(o)
      note(o, p, 'create', { to: 'new' })
      return shown(o, p)
    }
    if (/^GET \/api\/orders\/[^/]+$/.test(key)) return detail(orderOf(path.split('/')[3]), p)
    if (/^POST \/api\/orders\/[^/]+\/actions$/.test(key)) return act(orderOf(path.split('/')[3]), p, body)
    if (/^POST \/api\/orders\/[^/]+\/photos$/.test(key)) {
      const o = orderOf(path.split('/')[3])
      const id = `p${serial++}`
      photos.set(id, fileOf(body))
      note(o, p, 'photo', { photo: id })
      return detail(o, p)
    }
    if (path.startsWith('/api/photos/')) return { file: photos.get(path.split('/')[3]) }
    if (key === 'GET /api/rounds') {
      const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Shanghai' }).format(now())
      return { day: q.get('day') ?? today, rounds: (q.get('day') ?? today) === today ? rounds : [] }
    }
    if (key === 'GET /api/checkpoints') return { checkpoints: estate.checkpoints.map((c) => ({ ...publicCheckpoint(c), ...(estate.permissions[p.role].includes('see_audit') ? { url: `http://${req.headers.host}/t/${c.token}` } : {}) })) }
    if (key === 'GET /api/taps') return { taps }
    if (key === 'POST /api/taps') return { results: body.taps.map((t) => takeTap(p, t)) }
    if (key === 'POST /api/taps/import') return importDump(body)
    if (key === 'GET /api/people') return { people: estate.people }
    if (key === 'POST /api/people') return estate.people.push(body) && body
    if (req.method === 'PATCH') return Object.assign(estate.people.find((x) => x.login === path.split('/')[3]), body)
    if (key === 'GET /api/audit') return { entries: [{ id: 'x1', at: estate.iso(now() - 60_000), actor: 'li', action: 'order.assign', target: '20261122-0006', detail: 'zhang' }] }
    if (key === 'GET /api/health') return estate.makeHealth(now(), version)
    if (key === 'POST /api/session/password') return undefined
    throw notFound()
  }

  async function read(req) {
    const parts = []
    for await (const part of req) parts.push(part)
    const raw = Buffer.concat(parts)
    return req.headers['content-type']?.startsWith('application/json') ? JSON.parse(raw.toString()) : raw
  }

  function stream(req, res) {
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    res.write(`event: hello\ndata: ${JSON.stringify({ now: estate.iso(now()), version })}\n\n`)
    clients.add(res)
    req.on('close', () => clients.delete(res))
  }

  async function file(url, res) {
    const asked = url.pathname.split('.').length > 1 ? url.pathname : '/index.html'
    const data = await readFile(dist + asked).catch(() => null)
    if (!data) return void res.writeHead(404).end()
    const cache = asked.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
    res.writeHead(200, { 'Content-Type': types[asked.split('.').pop()] ?? 'application/octet-stream', 'Cache-Control': cache, 'Content-Security-Policy': csp })
    res.end(data)
  }

  const server = createServer(async (req, res) => {
    const url = new URL(req.url, 'http://localhost')
    const p = sessions.get(/gengfu=(\w+)/.exec(req.headers.cookie ?? '')?.[1])
    if (!url.pathname.startsWith('/api/')) return void file(url, res)
    if (url.pathname === '/api/events') return p ? stream(req, res) : void res.writeHead(401).end()
    try {
      if (req.method !== 'GET' && req.headers['x-gengfu'] !== '1') throw new Refusal(403, 'cross_site', say('来源不对', 'Cross-site'))
      let out = await api(req, url, p)
      if (Array.isArray(out?.lines) && url.pathname === '/api/rules/backtest') return void res.writeHead(200, { 'Content-Type': 'application/x-ndjson' }).end(out.lines.map((l) => `${JSON.stringify(l)}\n`).join(''))
      if (out?.file) return void res.writeHead(200, { 'Content-Type': out.file.type }).end(out.file.data)
      const headers = { 'Content-Type': 'application/json' }
      if (out && 'cookie' in out) {
        headers['Set-Cookie'] = out.cookie
        out = out.answer
      }
      res.writeHead(out === undefined ? 204 : 200, headers).end(out === undefined ? undefined : JSON.stringify(out))
    } catch (error) {
      res.writeHead(error.status ?? 500, { 'Content-Type': 'application/json' }).end(JSON.stringify(error.body ?? { error: { code: 'internal', message: say(error.message, error.message) } }))
    }
  })

  const beat = setInterval(() => {
    const moving = points().filter((p) => p.kind === 'measure' && p.quality === 'good' && p.id !== 'main-power/voltage_l2')
    for (const p of moving) Object.assign(p, { value: p.value * (1 + Math.sin(now() / 3_000) * 0.004), time: estate.iso(now()) })
    send('points', { points: moving.map(({ id, value, quality, reason, time }) => ({ id, value, quality, reason, time })) })
  }, 1_000)

  return {
    server, clients, send, overview,
    raise(alarm) { alarms = [alarm, ...alarms]; send('alarm', alarm); send('overview', overview()) },
    listen: (port = 0) => new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`))),
    close() {
      clearInterval(beat)
      for (const c of clients) c.end()
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(await createMock().listen(Number(process.argv[2] ?? 5180)))
}

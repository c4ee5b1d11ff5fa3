// The shapes of docs/api.md, field for field.

export interface Text { zh: string; en: string }

export type Role = 'admin' | 'manager' | 'desk' | 'technician' | 'guard' | 'viewer'
export const roles: readonly Role[] = ['admin', 'manager', 'desk', 'technician', 'guard', 'viewer']

export type Permission =
  | 'see_estate' | 'see_all_orders' | 'see_patrol' | 'acknowledge_alarm' | 'hold_alarm' | 'see_figures' | 'edit_rules' | 'create_order'
  | 'make_tap' | 'import_taps' | 'manage_people' | 'see_audit' | 'see_health'

export interface Person {
  login: string
  name: string
  role: Role
  phone?: string | null
  badges?: string[] | null
  disabled?: boolean
}

export interface DemoLogin { login: string; password: string; role: Role; name: string }

export interface Session {
  person: Person | null
  permissions: Permission[] | null
  site: { id: string; name: Text; zone: string }
  version: string
  now: string
  demo_logins?: DemoLogin[] | null
  extensions?: { path: string; name: Text }[] | null
}

export type Quality = 'good' | 'uncertain' | 'bad'
export type PointKind = 'measure' | 'counter' | 'state' | 'alarm'

/** What changes of a point. */
export interface Reading {
  id: string
  value?: number | null
  quality?: Quality | null
  reason?: string | null
  time?: string | null
}

export interface Point extends Reading {
  device: string
  device_name: Text
  name: Text
  kind: PointKind
  unit: string
  decimals: number
  labels?: Record<string, Text> | null
  min?: number | null
  max?: number | null
  /** Seconds after which the value no longer says anything about now. */
  stale_after: number
  /** Only an engineer wants to see it. */
  detail?: boolean
}

export interface Device {
  id: string
  name: Text
  kind: string
  place?: string | null
  place_name?: Text | null
  line: string
  address: string
  profile: string
  online?: boolean | null
  reason?: string | null
  last_seen?: string | null
  points: Point[]
}

export type OverallState = 'ok' | 'attention' | 'alarm' | 'unknown'

export interface Overview {
  at: string
  state: OverallState
  summary: Text
  alarms: { standing: number; unacknowledged: number; held?: number; P1: number; P2: number; P3: number; P4: number }
  orders: { open: number; unassigned: number; overdue: number }
  patrol: { expected: number; reached: number; missed: number; next?: Round | null }
  devices: { total: number; online: number; offline: number }
  tiles: Point[]
}

export interface Bucket { t: string; count: number; mean: number; min: number; max: number; last: number }
export interface History { point: Point; from: string; to: string; step: number; buckets: Bucket[] }
export interface Consumption {
  point: Point
  unit: string
  days: { day: string; amount: number | null; complete: boolean; reset?: true }[]
}

export type Priority = 'P1' | 'P2' | 'P3' | 'P4'
export const priorities: readonly Priority[] = ['P1', 'P2', 'P3', 'P4']

export type AlarmState = 'normal' | 'unacknowledged' | 'acknowledged' | 'returned' | 'latched_unacknowledged' | 'latched_acknowledged'
export type HoldKind = 'shelved' | 'suppressed' | 'out_of_service'
export type ShownState = AlarmState | HoldKind

/** What keeps an alarm quiet, whether it stands or is normal. */
export interface Hold {
  key: string
  kind: HoldKind
  rule: string
  rule_name: Text
  device?: string | null
  device_name?: Text | null
  by: string
  by_name?: string | null
  reason?: string | null
  cause?: string | null
  cause_name?: Text | null
  order?: string | null
  order_no?: string | null
  since: string
  until?: string | null
  one_shot: boolean
}

export type AlarmEventKind =
  | 'raise' | 'clear' | 'acknowledge' | 'realarm' | 'reset' | 'retire' | 'usual' | 'recur' | 'unknown' | 'known'
  | 'shelve' | 'unshelve' | 'suppress' | 'unsuppress' | 'take_out' | 'put_back'

export interface AlarmEvent {
  id: string
  at: string
  actor: string
  actor_name?: string | null
  event: AlarmEventKind
  from: AlarmState
  to: AlarmState
  value?: number | null
  note?: string | null
  /** The end that a hold began with. */
  until?: string | null
}

export interface AlarmDetail {
  alarm: Alarm
  events: AlarmEvent[] | null
  /** Seconds; without it the server alone knows. */
  longest_shelf?: number | null
  /** To acknowledge. */
  note_needed?: boolean
}

export interface Alarm {
  id: string
  key: string
  rule: string
  device?: string | null
  device_name?: Text | null
  place?: string | null
  place_name?: Text | null
  checkpoint?: string | null
  round?: string | null
  title: Text
  advice?: Text | null
  priority: Priority
  state: AlarmState
  unknown: boolean
  value?: number | null
  unit?: string | null
  count: number
  raised_at: string
  last_at: string
  cleared_at?: string | null
  acked_at?: string | null
  acked_by?: string | null
  ack_note?: string | null
  order_id?: string | null
  shown: ShownState
  holds?: Hold[] | null
}

export type OrderState =
  | 'new' | 'assigned' | 'accepted' | 'arrived' | 'in_progress' | 'on_hold'
  | 'completed' | 'verified' | 'closed' | 'cancelled' | 'reopened'

export type OrderAction =
  | 'create' | 'assign' | 'accept' | 'return' | 'arrive' | 'start' | 'hold' | 'resume' | 'complete'
  | 'verify' | 'close' | 'cancel' | 'reopen' | 'comment' | 'photo' | 'recur' | 'withdraw' | 'tick' | 'untick'

export type OrderSource = 'alarm' | 'patrol' | 'desk' | 'staff'

export interface Order {
  id: string
  no: string
  source: OrderSource
  title: Text
  detail?: Text | null
  device?: string | null
  device_name?: Text | null
  place?: string | null
  place_name?: Text | null
  priority: Priority
  state: OrderState
  assignee?: string | null
  assignee_name?: string | null
  count: number
  created_by?: string | null
  created_at: string
  last_at: string
  updated_at: string
  accept_by?: string | null
  arrive_by?: string | null
  finish_by?: string | null
  accepted_at?: string | null
  arrived_at?: string | null
  finished_at?: string | null
  overdue: boolean
  reopened: number
  version: number
  /** Of the checklist. */
  steps?: { done: number; total: number } | null
  actions?: OrderAction[] | null
}

/** One thing to do of an order; without a name nobody has done it. */
export interface Step { text: Text; by?: string | null; by_name?: string | null; at?: string | null }

export interface OrderEvent {
  id: string
  at: string
  actor: string
  actor_name?: string | null
  action: OrderAction
  from?: OrderState | '' | null
  to?: OrderState | '' | null
  note?: string | null
  target?: string | null
  target_name?: string | null
  photo?: string | null
  /** Of a tick: from 1. */
  step?: number | null
  /** Of a fault that came again: how often since the line before. */
  times?: number | null
}

export interface Assignable { login: string; name: string; role: Role; open_orders: number }

export interface OrderDetail {
  order: Order
  events: OrderEvent[] | null
  alarms: Alarm[] | null
  assignable: Assignable[] | null
  checklist?: Step[] | null
  bring?: Text[] | null
}

export type RoundState =
  | 'scheduled' | 'due' | 'in_progress' | 'completed' | 'exceptions' | 'incomplete' | 'missed' | 'cancelled'
export type Verdict = 'pending' | 'on_time' | 'early' | 'late' | 'missed' | 'exempt'

export interface Visit {
  checkpoint: string
  name: Text
  verdict: Verdict
  out_of_order?: boolean
  tapped_at?: string | null
  by?: string | null
  by_name?: string | null
  corrected?: boolean
}

export interface Round {
  id: string
  plan: string
  route: string
  name: Text
  start: string
  end: string
  /** Seconds after the end in which a tap is still late rather than missed. */
  tolerance: number
  in_order: boolean
  assignee?: string | null
  assignee_name?: string | null
  state: RoundState
  visits: Visit[]
}

export interface Checkpoint {
  id: string
  name: Text
  place?: string | null
  place_name?: Text | null
  /** Hex hash of its tag's token, to recognise the tag without a network. */
  token_sha256?: string | null
  /** Only for whoever writes the tags. */
  url?: string | null
}

export type TapSource = 'reader' | 'wand' | 'phone_nfc' | 'phone_url' | 'phone_qr'
export type TapFlag =
  | 'duplicate' | 'unknown_badge' | 'unknown_checkpoint' | 'no_round' | 'out_of_order' | 'clock_skew' | 'clock_unknown' | 'delayed'

export interface Tap {
  id: string
  source: TapSource
  reader?: string | null
  checkpoint?: string | null
  checkpoint_name?: Text | null
  person?: string | null
  person_name?: string | null
  tapped_at: string
  received_at?: string | null
  flags?: TapFlag[] | null
}

export interface TapResult {
  id: string
  accepted: boolean
  checkpoint?: Checkpoint | null
  error?: { code: string; message: Text } | null
}

export type DumpState = 'new' | 'known' | 'wrong'
export interface DumpLine { line: number; state: DumpState; tap?: Tap; what?: Text; cure?: Text }
/** What becomes of the lines of a patrol wand's dump; at most 1000 are listed, those that are wrong before others. */
export interface Dump { dry_run: boolean; new: number; known: number; wrong: number; lines: DumpLine[] }

/** A line in the field; counts are since the start, shares between 0 and 1. */
export interface LineHealth {
  id: string
  protocol?: string
  port?: string
  dials_in?: boolean
  state: 'up' | 'down'
  /** Why it is down, as the system said it. */
  reason?: string | null
  requests: number
  timeouts: number
  errors: number
  utilisation: number
  planned?: number
  opened?: number
  taps?: number
  waiting?: number
  dropped?: number
  wire?: { crc_errors: number; exceptions: number; stale: number; resyncs: number; wrong_units: number } | null
  devices?: DeviceHealth[] | null
}

export interface DeviceHealth {
  id: string
  protocol: string
  address: string
  online?: boolean | null
  reason?: string | null
  last_seen?: string | null
  requests: number
  timeouts: number
  crc_errors: number
  exceptions: number
  last_error?: string | null
  turnaround_ms: number
  timeout_ms: number
}

/** Readings that the history refused for good, and why. */
export interface RefusedReadings {
  held: number
  evicted: number
  causes: { why: string; held: number; oldest: string; newest: string; point: string }[]
}

/** read = delivered + queued + dropped, in readings and taps; the difference is what is left. */
export interface Balance {
  read: number
  delivered: number
  queued: number
  dropped: number
  dropped_by?: Record<string, number> | null
  difference: number
}

export interface Law extends Balance {
  since: string
  kills: number
  streams?: (Balance & { site: string; gateway: string; stream: string; own: boolean; since?: string | null; kills: number })[] | null
  hub?: Balance | null
  history?: Balance | null
  judge?: Balance | null
}

export interface Health {
  at: string
  version: string
  /** Seconds. */
  uptime: number
  /** Bytes of the process. */
  memory?: number
  /** The state of the chain in a sentence, and all that is not as it should be, the worst first. */
  summary?: { state: 'ok' | 'busy' | 'trouble'; since?: string | null; text: Text; all?: { what: string; since?: string | null; text: Text }[] | null } | null
  law?: Law | null
  clock?: { state: string; time: string; wall: string; synced: boolean; differs?: number | null; steps?: { at: string; by: number }[] | null; restamped: number; doubtful: number } | null
  streams?: {
    gateway: string; stream: string; epoch: string | number; sent: number; acknowledged: number
    queued_bytes: number; queued: number; oldest?: string | null; resent: number; duplicates: number; dropped: number
    dropped_by?: Record<string, number> | null; volatile?: number; trouble?: string | null
    window?: number; in_flight?: number; runs?: number
  }[] | null
  /** What each stream brought to the hub since the start. */
  intake?: {
    refused: number; trouble?: Record<string, string> | null
    streams?: { gateway: string; stream: string; readings: number; taps: number; batches: number; duplicates: number; gaps: number; dropped: number; stuck?: string | null; rivals?: string[] | null; copies?: string[] | null }[] | null
  } | null
  lines?: LineHealth[] | null
  /** Absent without an edge. */
  collector?: { dropped?: Record<string, number> | null } | null
  dead_letters?: { at: string; topic: string; reason: string; size: number; excerpt: string }[] | null
  consumers?: { name: string; position: number; behind: number }[] | null
  history?: { engine: string; last_write?: string | null; error?: string | null; refused?: RefusedReadings | null } | null
  ledger?: { engine: string; last_write?: string | null; error?: string | null } | null
  /** Counts since the start. */
  judge?: { set_aside: number; late: number; failed: number; mistimed: number; learning?: { rule: string; devices: number }[] | null } | null
  gateways?: { id: string; online: boolean; since?: string | null; version: string; clock?: string | null; clock_differs?: number | null }[] | null
}

export interface AuditEntry { id: string; at: string; actor: string; action: string; target: string; detail: string }

/** The events of the stream and what they carry. */
export interface NoticeAlarm { alarm: string; key: string; title: Text; priority: Priority; gone: boolean; follow: number }
/** One telling of people, the most severe alarm first. */
export interface Notice { id: string; at: string; priority: Priority; flood: boolean; alarms: NoticeAlarm[] }

export interface LiveEvents {
  hello: { now: string; version: string }
  points: { points: Reading[] }
  alarm: Alarm
  notice: Notice
  order: Order
  round: Round
  tap: Tap
  device: { id: string; online?: boolean | null; reason?: string | null; last_seen?: string | null }
  overview: Overview
  bye: unknown
}
export type LiveEvent = keyof LiveEvents

import { ApiError, Unreachable } from './client'
import type { Backtest, BacktestAsk } from './rules'
import type { Text } from './types'

interface Said { place?: number; progress?: number; result?: Backtest; error?: { code?: string; message?: Text; field?: string } }

/**
 * runBacktest asks what a rule would have done. The answer is a stream of lines: how far
 * it is, 0 to 1, and at the end the result. While it waits, place says for which turn: 1 comes next. It fails with ApiError when the server says
 * no, with Unreachable when the stream breaks off, and as fetch does when it is aborted.
 */
export async function runBacktest(fetcher: typeof fetch, ask: BacktestAsk, progress: (done: number, place: number) => void, signal: AbortSignal): Promise<Backtest> {
  const answer = await fetcher('/api/rules/backtest', {
    method: 'POST', credentials: 'same-origin', signal, body: JSON.stringify(ask),
    headers: { Accept: 'application/x-ndjson', 'Content-Type': 'application/json', 'X-Gengfu': '1' },
  }).catch((cause: unknown) => { throw signal.aborted ? cause : new Unreachable('backtest: no answer', { cause }) })
  for await (const line of linesOf(answer)) {
    const said = JSON.parse(line) as Said
    if (said.result) return said.result
    if (said.error) throw refused(answer.ok ? 500 : answer.status, said.error)
    if (said.place || said.progress !== undefined) progress(said.progress ?? 0, said.place ?? 0)
  }
  signal.throwIfAborted()
  throw new Unreachable('backtest: the answer broke off')
}

function refused(status: number, error: NonNullable<Said['error']>): ApiError {
  const plain = `HTTP ${status}`
  return new ApiError(status, error.code ?? 'internal', error.message ?? { zh: plain, en: plain }, error.field)
}

/** linesOf yields the lines of a body as they come, without those that are empty. */
async function* linesOf(answer: Response): AsyncGenerator<string> {
  if (!answer.body) return
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  let kept = ''
  for (;;) {
    const { done, value } = await reader.read()
    const lines = (kept + (value ?? '')).split('\n')
    kept = done ? '' : lines.pop()!
    for (const line of lines) if (line.trim()) yield line
    if (done) return
  }
}

/** One block of an event stream. A comment line is a sign of life without an event. */
export interface Block { event: string; data: string }

/** parser cuts text/event-stream into blocks, whatever pieces it arrives in. */
export function parser(onBlock: (b: Block) => void): (piece: string) => void {
  let rest = ''
  let event = ''
  let data: string[] = []
  const line = (l: string) => {
    if (l === '') {
      if (data.length) onBlock({ event: event || 'message', data: data.join('\n') })
      event = ''
      data = []
      return
    }
    const colon = l.indexOf(':')
    const field = colon < 0 ? l : l.slice(0, colon)
    const value = colon < 0 ? '' : l.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') event = value
    else if (field === 'data') data.push(value)
  }
  return (piece) => {
    rest += piece
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()!
    lines.forEach(line)
  }
}

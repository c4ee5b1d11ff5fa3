/** tokenOf finds a checkpoint's token in what a tag or QR code holds: its URL, or the bare word; "" when there is none. */
export function tokenOf(text: string): string {
  const s = text.trim()
  const inUrl = /\/t\/([^/?#\s]+)/.exec(s)
  if (inUrl) {
    try { return decodeURIComponent(inUrl[1]!) } catch { return '' }
  }
  return /^[\p{L}\p{N}._~-]{4,128}$/u.test(s) ? s : ''
}

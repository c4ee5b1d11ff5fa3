/** hashOf is the SHA-256 of a token in hex; null where the browser has no cryptography, which is on plain HTTP. */
export async function hashOf(token: string): Promise<string | null> {
  const subtle = (globalThis.crypto as Crypto | undefined)?.subtle
  if (!subtle) return null
  const digest = await subtle.digest('SHA-256', new TextEncoder().encode(token))
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, '0')).join('')
}

/** tokenOf finds a checkpoint's token in what a tag or QR code holds: its URL, or the bare word; "" when there is none. */
export function tokenOf(text: string): string {
  const s = text.trim()
  const inUrl = /\/t\/([^/?#\s]+)/.exec(s)
  if (inUrl) {
    try { return decodeURIComponent(inUrl[1]!) } catch { return '' }
  }
  return /^[\p{L}\p{N}._~-]{4,128}$/u.test(s) ? s : ''
}

import { encode } from 'uqr'

/** A QR code as a path of unit squares in a square of size × size, its quiet zone included. */
export interface QrCode { size: number; path: string }

/** qrCode writes a text as dark modules on a light ground; a quarter of a scratched card may be lost. */
export function qrCode(text: string): QrCode {
  const { data, size } = encode(text, { ecc: 'Q', border: 4 })
  return { size, path: data.flatMap((row, y) => runs(row).map(([x, n]) => `M${x} ${y}h${n}v1h-${n}z`)).join('') }
}

/** runs are the dark stretches of a row: where each begins, and how long it is. */
function runs(row: readonly boolean[]): [number, number][] {
  const found: [number, number][] = []
  for (const [x, dark] of row.entries()) {
    if (!dark) continue
    if (x > 0 && row[x - 1]) found.at(-1)![1]++
    else found.push([x, 1])
  }
  return found
}

/** onlyHere reports whether an address leads nowhere from another device. */
export function onlyHere(address: string): boolean {
  const { hostname } = new URL(address)
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}

import { encode } from 'uqr'
import { describe, expect, it } from 'vitest'
import { onlyHere, qrCode } from '../src/domain/qr'

// Draws a path back into modules, as a browser would.
function modules(path: string, size: number): boolean[][] {
  const field = Array.from({ length: size }, () => Array<boolean>(size).fill(false))
  for (const [, x, y, n] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) field[Number(y)]!.fill(true, Number(x), Number(x) + Number(n))
  return field
}

describe('a QR code', () => {
  it.each(['http://10.0.0.5:8080/t/gate-7f3a91', `https://gengfu.example.cn/t/${'x'.repeat(120)}`, '水泵房'])('draws every module of %s', (text) => {
    const { size, path } = qrCode(text)
    const want = encode(text, { ecc: 'Q', border: 4 })
    expect(size).toBe(want.size)
    expect(modules(path, size)).toEqual(want.data)
  })
  it('has a quiet zone of four modules and its finders in the corners', () => {
    const { size, path } = qrCode('http://10.0.0.5/t/x')
    const field = modules(path, size)
    for (const i of [0, 1, 2, 3, size - 1]) expect([field[i]!.some(Boolean), field.some((row) => row[i])]).toEqual([false, false])
    for (const [x, y] of [[4, 4], [size - 11, 4], [4, size - 11]] as const) expect(field[y]!.slice(x, x + 7)).toEqual(Array(7).fill(true))
  })
})

describe('an address for a tag', () => {
  it.each([['http://127.0.0.1:8080/t/x', true], ['http://localhost/t/x', true], ['http://[::1]:80/t/x', true], ['http://10.0.0.5:8080/t/x', false], ['https://gengfu.example.cn/t/x', false]])('%s leads only to this machine: %s', (address, want) => {
    expect(onlyHere(address)).toBe(want)
  })
})

// Ways of this phone to read a tag; browsers that have none open the tag's URL instead.

interface NdefRecord { recordType: string; data?: DataView; encoding?: string }
interface NdefReader {
  scan(options: { signal: AbortSignal }): Promise<void>
  onreading: ((e: { message: { records: NdefRecord[] } }) => void) | null
  onreadingerror: (() => void) | null
}
interface BarcodeDetector { detect(source: CanvasImageSource): Promise<{ rawValue: string }[]> }

declare global {
  interface Window {
    NDEFReader?: new () => NdefReader
    BarcodeDetector?: new (options: { formats: string[] }) => BarcodeDetector
  }
}

export const canReadNfc = () => 'NDEFReader' in window
export const canScan = () => 'BarcodeDetector' in window && !!navigator.mediaDevices

/** readNfc calls found with the text of each tag until the signal aborts. */
export async function readNfc(signal: AbortSignal, found: (text: string) => void): Promise<void> {
  const reader = new window.NDEFReader!()
  reader.onreading = ({ message }) => {
    for (const r of message.records) {
      if (r.data && (r.recordType === 'url' || r.recordType === 'text' || r.recordType === 'absolute-url')) {
        found(new TextDecoder(r.encoding ?? 'utf-8').decode(r.data))
      }
    }
  }
  await reader.scan({ signal })
}

/** scanCodes shows the camera in the video and calls found with each code until the signal aborts. */
export async function scanCodes(video: HTMLVideoElement, signal: AbortSignal, found: (text: string) => void): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } })
  const stop = () => stream.getTracks().forEach((track) => track.stop())
  if (signal.aborted) return stop()
  signal.addEventListener('abort', stop)
  video.srcObject = stream
  await video.play()
  const detector = new window.BarcodeDetector!({ formats: ['qr_code'] })
  const look = async () => {
    if (signal.aborted) return
    const codes = await detector.detect(video).catch(() => [])
    if (signal.aborted) return
    const code = codes[0]
    if (code) found(code.rawValue)
    requestAnimationFrame(() => void look())
  }
  void look()
}

/** The longest side of a photo that is uploaded, pixels. */
const longest = 1600
const quality = 0.82

/** fit is the size of a picture whose longer side is at most the limit. */
export function fit(width: number, height: number, limit = longest): { width: number; height: number } {
  const scale = Math.min(1, limit / Math.max(width, height))
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
}

/** shrink makes a JPEG of at most 1600 pixels of a camera's picture, upright, without its EXIF data. */
export async function shrink(file: Blob): Promise<Blob> {
  const picture = await createImageBitmap(file, { imageOrientation: 'from-image' })
  try {
    const size = fit(picture.width, picture.height)
    const canvas = document.createElement('canvas')
    canvas.width = size.width
    canvas.height = size.height
    canvas.getContext('2d')!.drawImage(picture, 0, 0, size.width, size.height)
    return await new Promise<Blob>((resolve, reject) => {
      canvas.toBlob((b) => (b ? resolve(b) : reject(new Error('the browser made no JPEG'))), 'image/jpeg', quality)
    })
  } finally {
    picture.close()
  }
}

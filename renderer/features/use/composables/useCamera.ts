import { onScopeDispose, ref, shallowRef } from 'vue'

/** The camera, on only while asked for. Frames are drawn to a canvas and leave as JPEG blobs. */
export function useCamera() {
  const stream = shallowRef<MediaStream | null>(null)
  const failed = ref(false)

  async function start(): Promise<void> {
    failed.value = false
    try {
      stream.value = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 } },
        audio: false,
      })
    } catch (error) {
      console.warn('camera refused', error)
      failed.value = true
    }
  }
  function stop(): void {
    for (const track of stream.value?.getTracks() ?? []) track.stop()
    stream.value = null
  }
  onScopeDispose(stop)

  /** The frame shown now, upright and unmirrored. @returns null while the video has no picture yet */
  async function frame(video: HTMLVideoElement): Promise<Blob | null> {
    if (video.videoWidth === 0) return null
    const canvas = document.createElement('canvas')
    canvas.width = video.videoWidth
    canvas.height = video.videoHeight
    canvas.getContext('2d')?.drawImage(video, 0, 0)
    return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92))
  }
  return { stream, failed, start, stop, frame }
}

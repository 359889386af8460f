import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import type { Choose, ChosenSource } from '#shared/contract/desktop.ts'
import { toPageError } from './studio.ts'
import { itemsOfDrop, itemsOfInput } from './entries.ts'
import type { DroppedItems } from './entries.ts'
import { upload } from './upload.ts'
import type { LeftOutFile, UploadProgress } from './upload.ts'

const desktop = window.kestrelDesktop

/** Asks with a file input; resolves with nothing when the person closes the dialog. */
function askForFiles(kind: Choose['kind']): Promise<File[]> {
  return new Promise((resolve) => {
    const input = document.createElement('input')
    input.type = 'file'
    input.multiple = kind === 'pictures'
    if (kind === 'pictures-folder' || kind === 'folder') input.webkitdirectory = true
    if (kind === 'backbone') input.accept = '.onnx,.h5,.keras,.json,.bin,.zip'
    input.dataset.choose = kind
    input.hidden = true
    const done = (): void => {
      input.remove()
      resolve([...(input.files ?? [])])
    }
    input.addEventListener('change', done, { once: true })
    input.addEventListener('cancel', done, { once: true })
    document.body.append(input)
    input.click()
  })
}

/**
 * Pictures, folders and files the person gives, as tokens that calls take. In the desktop window the paths go from
 * preload to the studio; in a browser the files are sent to it. Both look the same from outside.
 */
export const useSources = defineStore('sources', () => {
  /** Not null while files are sent (browser mode); for a progress line with Cancel. */
  const sending = shallowRef<(UploadProgress & { names: string[] }) | null>(null)
  /** Of the last sending: what did not go along; for a notice. */
  const leftOut = shallowRef<readonly LeftOutFile[]>([])
  const abort = ref<AbortController | null>(null)

  async function send(items: DroppedItems): Promise<ChosenSource> {
    const controller = new AbortController()
    abort.value = controller
    sending.value = { names: items.names, sentFiles: 0, sentBytes: 0 }
    try {
      const uploaded = await upload(
        items,
        (progress) => (sending.value = { ...progress, names: items.names }),
        controller.signal,
      )
      if (uploaded.leftOut.length > 0) leftOut.value = uploaded.leftOut
      return { token: uploaded.token, names: items.names }
    } catch (error) {
      controller.abort()
      throw toPageError(error)
    } finally {
      sending.value = null
      abort.value = null
    }
  }

  /** Call it inside the drop event. Resolves with null when nothing in the drop is a file. */
  async function fromDrop(event: DragEvent): Promise<ChosenSource | null> {
    const transfer = event.dataTransfer
    if (!transfer) return null
    if (desktop) return fromFiles([...transfer.files])
    const items = itemsOfDrop(transfer)
    return items && send(items)
  }

  /** Files of an input or of the clipboard; pasted pictures and camera frames have no path and are always sent. */
  async function fromFiles(files: readonly File[]): Promise<ChosenSource | null> {
    if (files.length === 0) return null
    if (desktop) return desktop.sourcesFromFiles(files)
    const items = itemsOfInput(files)
    return items && send(items)
  }

  /**
   * What is pasted, pictures copied from anywhere or files and folders from the file manager; always sent. Call it
   * inside the paste event.
   * @returns null when nothing in it is a file
   */
  function fromPaste(transfer: DataTransfer): Promise<ChosenSource> | null {
    const items = itemsOfDrop(transfer)
    if (!items) return null
    // What was never a file may come without a name.
    const named = (path: string): string => path || 'pasted.png'
    return send({
      names: items.names.map(named),
      async *files() {
        for await (const { path, file } of items.files()) yield { path: named(path), file }
      },
    })
  }

  /** A picture that was never a file: taken by the camera. */
  async function fromBlob(blob: Blob, name: string): Promise<ChosenSource> {
    const file = new File([blob], name, { type: blob.type })
    return send({
      names: [name],
      async *files() {
        yield { path: name, file }
      },
    })
  }

  /** Opens a dialog; null when the person closed it. `project` and `save-folder` exist in the desktop only. */
  async function choose(kind: Choose['kind'], title?: string): Promise<ChosenSource | null> {
    if (desktop) return desktop.choose({ kind, title })
    return fromFiles(await askForFiles(kind))
  }

  return {
    sending,
    leftOut,
    /** Whether folders of the person's disk can be opened and written to. */
    canReachDisk: desktop !== undefined,
    fromDrop,
    fromFiles,
    fromPaste,
    fromBlob,
    choose,
    cancelSending: () => abort.value?.abort(),
  }
})

/** Whether a drag carries files (and not a tile of the grid or a piece of text). */
export const carriesFiles = (event: DragEvent): boolean =>
  event.dataTransfer?.types.includes('Files') ?? false

import type { Ref } from 'vue'
import type { PictureRow } from '#shared/contract/dataset.ts'
import { useStudio } from '../../../client/index.ts'

/** Tells the studio which test pictures were looked at closely: Results says it beside the figure. */
export function useLooks(projectId: Ref<string>) {
  const studio = useStudio()
  return function looked({ id, split }: Pick<PictureRow, 'id' | 'split'>): void {
    if (split !== 'test') return
    studio.pictures
      .looked({ projectId: projectId.value, pictureId: id })
      // That the studio does not answer is said by the page as a whole.
      .catch((error: unknown) => console.warn('a look was not counted', error))
  }
}

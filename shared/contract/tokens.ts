import { z } from 'zod'

/** Stands for dropped or chosen paths, or uploaded files. The page never sees a path it can use. */
export const sourceToken = z.string().min(8).max(128)

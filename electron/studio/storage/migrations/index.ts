import { initial } from './0001-initial.ts'
import { renameRecipe } from './0002-recipes.ts'
import { looks } from './0003-looks.ts'
import { answers } from './0004-answers.ts'

/**
 * All migrations, oldest first; the version of a database is how many of them it has seen. Forward only. A released
 * one is never edited: a new one is added, with a test that starts from a database of every earlier version.
 */
export const migrations: readonly string[] = [initial, renameRecipe, looks, answers]

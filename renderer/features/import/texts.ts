/** Words of adding pictures. */
export default {
  ended: 'Nothing new was added | One picture added | {n} pictures added',
  endedTwins: 'None was there already. | One was there already. | {n} were there already.',
  endedSkipped: 'None was skipped. | One file could not be read. | {n} files could not be read.',
  seeProblems: 'See why',
}

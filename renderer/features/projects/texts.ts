/** Words of the start page. */
export default {
  name: 'Name',
  renameTitle: 'Rename the project',
  reveal: 'Show in the file manager',
}

/** What the window calls it, and what the command line does. */
const phrases: readonly (readonly [window: string, commandLine: string])[] = [
  [
    'There are no pictures yet. Drop a folder of pictures on the window.',
    'There are no pictures there. Name a folder with pictures in it; its sub-folders name the labels.',
  ],
  [
    'has a label yet. Give them labels first.',
    'has a label. Put the pictures of each label into a sub-folder that is called like it.',
  ],
  ['save diagnostics from Settings.', 'look into the logs ("kestrel doctor" says where they are).'],
  [
    'Save diagnostics and ask for help.',
    'Look into the logs ("kestrel doctor" says where they are) and ask for help.',
  ],
  ['Press Train again: it goes on', 'Run the same command again: it goes on'],
  ['Press Train to go on from there.', 'Run the same command again to go on from there.'],
  ['Start Kestrel again.', 'Run the command again.'],
  ['Go back to all projects and drop its folder on the window.', 'Name its folder.'],
  ['find the folder, then drop it on the window.', 'find the folder, then name it again.'],
  ['on another disk and drop the folder.', 'on another disk and name the folder.'],
  ['where it is open, then drop it again.', 'where it is open, then name it again.'],
  ['Choose the other format.', 'Name the other format with --export.'],
  ['or choose the other format.', 'or name the other format with --export.'],
  [
    'Remove it in Settings and get it again, or choose another one.',
    'Get it again with "kestrel backbones get ID" or "kestrel backbones add FILE", or name another one with --backbone.',
  ],
  [
    'Download one in Settings, add a file of your own, or train a network from scratch.',
    'Get one with "kestrel backbones get ID", add a file with "kestrel backbones add FILE", or use --recipe scratch.',
  ],
  [
    'Download one in Settings for much better results.',
    'Get one with "kestrel backbones get ID" for much better results.',
  ],
  [
    'Download it first, or choose another one.',
    'Get it first with "kestrel backbones get ID", or name another one with --backbone.',
  ],
  [
    'Train with Quick, which uses the network as it is, or choose another network.',
    'Use --recipe head, which takes the network as it is, or name another one with --backbone.',
  ],
]

/**
 * A sentence of the studio for somebody who has no window before them. The services speak to both; a phrase about keys and
 * places of the window has its counterpart here, and a test looks for those that have none.
 */
export const withoutWindow = (words: string): string =>
  phrases.reduce((text, [window, commandLine]) => text.replaceAll(window, commandLine), words)

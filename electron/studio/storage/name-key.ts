/** The form in which names are searched and sorted: one way of writing an accent, no capitals. */
export const nameKey = (name: string): string => name.normalize('NFC').toLowerCase()

/** The recipe `pixels`, one fixed small network, became `scratch`, any network that learns from the pixels alone. */
export const renameRecipe = `
UPDATE runs SET config = json_set(config, '$.recipe', 'scratch') WHERE json_extract(config, '$.recipe') = 'pixels';
`

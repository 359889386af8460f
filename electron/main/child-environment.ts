/** The environment studio and trainer inherit: what could make Electron or Node behave otherwise is left out. */
export function childEnvironment(): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env))
    if (value !== undefined && !/^(NODE_OPTIONS|ELECTRON_RUN_AS_NODE|KESTREL_PIPE.*)$/.test(name))
      env[name] = value
  return env
}

import { z } from 'zod'
import { kindOf } from './limits.ts'

/**
 * Schemas of settings with their defaults taken out, for what changes some of them: there, a setting that is left out has
 * to stay left out. (Zod's own `partial` would fill the defaults in.)
 */
type Unfilled<Shape extends z.ZodRawShape> = {
  [Name in keyof Shape]: z.ZodOptional<
    Shape[Name] extends z.ZodDefault<infer Inner extends z.ZodType> ? Inner : Shape[Name]
  >
}

export function unfilled<Shape extends z.ZodRawShape>(shape: Shape): Unfilled<Shape> {
  const fields = Object.entries(shape).map(([name, field]): [string, z.ZodType] => [
    name,
    z.optional(field instanceof z.ZodDefault ? field.unwrap() : field),
  ])
  // The compiler does not follow names through `fromEntries`.
  return Object.fromEntries(fields) as Unfilled<Shape>
}

/** One of several kinds of settings, of which all but the kind may be left out. */
export type ChangedKind<Config extends { kind: string }> = Config extends unknown
  ? { kind: Config['kind'] } & { [Name in keyof Omit<Config, 'kind'>]?: Config[Name] | undefined }
  : never

type Option = z.ZodObject<{ kind: z.ZodLiteral<string> }>

export function changedKind<Options extends readonly [Option, ...Option[]]>(
  name: string,
  { options }: z.ZodDiscriminatedUnion<Options, 'kind'>,
): z.ZodType<ChangedKind<z.infer<Options[number]>>> {
  const changed = options.map(({ shape: { kind, ...rest } }) =>
    z.strictObject({ kind, ...unfilled(rest) }),
  ) as [Option, ...Option[]]
  return kindOf(name, changed) as unknown as z.ZodType<ChangedKind<z.infer<Options[number]>>>
}

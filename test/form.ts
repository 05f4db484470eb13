/**
 * The two forms of tests that play any number of generated cases: a part of them in every run, all of them where they are asked for by name, as a file, as a
 * folder, or by `npm run test:long`.
 */
export const IS_WHOLE = process.env['HITLESS_TEST_FORM'] !== 'short'

export function howMany(part: number, all: number): number {
  return IS_WHOLE ? all : part
}

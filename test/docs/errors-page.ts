/** docs/errors.md, made from the table of errors. `npm run docs` writes it. */
import { ERRORS } from '../../src/errors.ts'

export const ERRORS_PAGE = 'docs/errors.md'

export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([code, { meaning, exit, http }]) => `| \`${code}\` | ${meaning} | ${exit} | ${http} |\n`)
  return [
    '# Errors',
    'Made from `src/errors.ts` by `npm run docs`. Each error is one line: what and where, and at its end the code in brackets.',
    'The exit code is that of a command that meets the error, the status that of the webhook. A file or document that cannot be read is an error of its own: the others are still judged, and the command ends with 2.',
    `| code | meaning | exit code | status |\n| --- | --- | --- | --- |\n${rows.join('')}`
  ].join('\n\n')
}

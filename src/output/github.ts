import { isDenial, type Reported } from './reported.ts'

/** Workflow commands (GitHub Actions, "Workflow commands", `error` and `warning`), one a finding. */
export function annotations(findings: readonly Reported[]): string {
  return findings.map(annotation).join('')
}

function annotation(finding: Reported): string {
  const { rule, text, object, place } = finding
  const where = place === null ? {} : { file: place.file, line: place.line, col: place.column }
  const properties = Object.entries({ ...where, title: `${rule}: ${object}` })
  const written = properties.map(([name, value]) => `${name}=${encoded(String(value), /[%\r\n:,]/g)}`).join(',')
  return `::${isDenial(finding) ? 'error' : 'warning'} ${written}::${encoded(text, /[%\r\n]/g)}\n`
}

function encoded(text: string, characters: RegExp): string {
  return text.replace(characters, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

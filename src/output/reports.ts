/** Findings in the forms that CI systems read. */
import { RULES } from '../rules/index.ts'
import type { Severity } from '../rules/rule.ts'

export const REPORT_FORMATS = ['sarif', 'junit', 'github'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

export function isReport(format: string): format is ReportFormat {
  return REPORT_FORMATS.some((each) => each === format)
}

export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface Reported {
  readonly rule: string
  readonly severity: Severity
  /** What is wrong, and what to do. */
  readonly text: string
  /** `VirtualService prod/reviews` */
  readonly object: string
  /** null where it stands in no file. */
  readonly place: Place | null
}

/** What was looked at as one: a write, or an object of a state. */
export interface Case {
  readonly name: string
  /** The file of it, or what stands for one. */
  readonly group: string
  readonly findings: readonly Reported[]
}

/** The whole report, with a newline at its end. */
export function report(format: ReportFormat, cases: readonly Case[], version: string): string {
  const findings = cases.flatMap((each) => each.findings)
  switch (format) {
    case 'github':
      return findings.map(annotation).join('')
    case 'junit':
      return junit(cases)
    case 'sarif':
      return `${JSON.stringify(sarif(findings, version), null, 2)}\n`
  }
}

/** A workflow command (GitHub Actions, "Workflow commands", `error` and `warning`). */
function annotation({ rule, severity, text, object, place }: Reported): string {
  const where = place === null ? {} : { file: place.file, line: place.line, col: place.column }
  const properties = Object.entries({ ...where, title: `${rule}: ${object}` })
  const written = properties.map(([name, value]) => `${name}=${encoded(String(value), /[%\r\n:,]/g)}`).join(',')
  return `::${severity === 'deny' ? 'error' : 'warning'} ${written}::${encoded(text, /[%\r\n]/g)}\n`
}

function encoded(text: string, characters: RegExp): string {
  return text.replace(characters, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/** One test a case; a denial fails it, and warnings are its output. */
function junit(cases: readonly Case[]): string {
  const failed = cases.filter(({ findings }) => findings.some(isDenial)).length
  const suite = `<testsuite name="hitless" tests="${cases.length}" failures="${failed}">`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${suite}\n${cases.map(testcase).join('')}</testsuite>\n`
}

function testcase({ name, group, findings }: Case): string {
  const failures = findings
    .filter(isDenial)
    .map((each) => `    <failure type="${each.rule}" message="${xml(each.text)}">${xml(told(each))}</failure>\n`)
  const warnings = findings.filter((each) => !isDenial(each)).map(told)
  const output = warnings.length === 0 ? '' : `    <system-out>${xml(warnings.join('\n'))}</system-out>\n`
  return `  <testcase name="${xml(name)}" classname="${xml(group)}">\n${failures.join('')}${output}  </testcase>\n`
}

function told({ rule, text, place }: Reported): string {
  return `${place === null ? '' : `${place.file}:${place.line}:${place.column}: `}[${rule}] ${text}`
}

function isDenial({ severity }: Reported): boolean {
  return severity === 'deny'
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;']
])

/** XML 1.0 has no way at all to write most control characters. */
function xml(text: string): string {
  return text
    .replace(/[^\P{Cc}\t\n\r]|\p{Noncharacter_Code_Point}|\p{Cs}/gu, '')
    .replace(/[&<>"]/g, (character) => ENTITIES.get(character) ?? '')
}

/** Static Analysis Results Interchange Format 2.1.0 (OASIS), as code scanning takes it. */
function sarif(findings: readonly Reported[], version: string) {
  const rules = RULES.filter(({ id }) => findings.some(({ rule }) => rule === id))
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'hitless',
            version,
            rules: rules.map(({ id, summary, description, remedy }) => ({
              id,
              shortDescription: { text: summary },
              fullDescription: { text: description },
              help: { text: remedy }
            }))
          }
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map(({ rule, severity, text, object, place }) => ({
          ruleId: rule,
          ruleIndex: rules.findIndex(({ id }) => id === rule),
          level: severity === 'deny' ? 'error' : 'warning',
          message: { text },
          locations: [
            {
              ...(place === null ? {} : { physicalLocation: physical(place) }),
              logicalLocations: [{ fullyQualifiedName: object, kind: 'object' }]
            }
          ]
        }))
      }
    ]
  }
}

function physical({ file, line, column }: Place) {
  return { artifactLocation: { uri: encodeURI(file.replaceAll('\\', '/')) }, region: { startLine: line, startColumn: column } }
}

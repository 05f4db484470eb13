/** Findings in the forms that CI systems read. */
import { annotations } from './github.ts'
import { junit } from './junit.ts'
import type { Case, Reported } from './reported.ts'
import { sarif } from './sarif.ts'
import { oneLine } from './text.ts'

export const REPORT_FORMATS = ['sarif', 'junit', 'github'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

export function isReport(format: string): format is ReportFormat {
  return REPORT_FORMATS.some((each) => each === format)
}

/** The whole report, with a newline at its end. Whatever strangers wrote is on one line. */
export function report(format: ReportFormat, cases: readonly Case[], version: string): string {
  const clean = cases.map(({ name, group, findings }) => ({ name: oneLine(name), group: oneLine(group), findings: findings.map(cleaned) }))
  switch (format) {
    case 'github':
      return annotations(clean.flatMap(({ findings }) => findings))
    case 'junit':
      return junit(clean)
    case 'sarif':
      return sarif(
        clean.flatMap(({ findings }) => findings),
        version
      )
  }
}

function cleaned({ text, object, place, ...finding }: Reported): Reported {
  return {
    ...finding,
    text: oneLine(text),
    object: oneLine(object),
    place: place === null ? null : { ...place, file: oneLine(place.file) }
  }
}

/** A number in words, in the plural form that the language has for it; `{}` stands for the number. */
export function counted(
  language: string,
  n: number,
  forms: Partial<Record<Intl.LDMLPluralRule, string>> & { other: string },
): string {
  const form = n ? (forms[new Intl.PluralRules(language).select(n)] ?? forms.other) : forms.zero;
  return (form ?? forms.other).replace("{}", n.toLocaleString(language));
}

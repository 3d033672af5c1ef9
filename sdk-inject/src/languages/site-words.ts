/** What is said where the provider decided something: on the badge, and of its support. */
export interface SiteWords {
  test: string;
  preview: string;
  staff: string;
  support: string;
}

/** By language. Short enough for one table: a site with settings loads one file more, not two. */
export const siteWords: Record<string, SiteWords> = {
  en: { test: "Test", preview: "Preview", staff: "Staff", support: "Get help" },
  de: { test: "Test", preview: "Vorschau", staff: "Team", support: "Hilfe erhalten" },
  fr: { test: "Test", preview: "Aperçu", staff: "Équipe", support: "Obtenir de l’aide" },
  es: { test: "Prueba", preview: "Vista previa", staff: "Equipo", support: "Obtener ayuda" },
  pt: { test: "Teste", preview: "Prévia", staff: "Equipe", support: "Obter ajuda" },
  ja: { test: "テスト", preview: "プレビュー", staff: "スタッフ", support: "サポート" },
  zh: { test: "测试", preview: "预览", staff: "员工", support: "获取帮助" },
  ar: { test: "اختبار", preview: "معاينة", staff: "الفريق", support: "الحصول على المساعدة" },
};

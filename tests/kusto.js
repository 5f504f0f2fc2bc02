// Parses KQL queries and binds them to AzureActivity. In: JSON {name: query} on stdin. Out: {name: {errors, strings}}:
// what is wrong, and the values of the query's string literals, as Kusto reads them.
"use strict";
const folder = process.argv[2];
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) require(`${folder}/${file}`);
const { KustoCode, GlobalState, Symbols, Syntax } = Kusto.Language;

const TEXTS = [
  "ActivityStatusValue", "ActivitySubstatusValue", "Authorization", "Caller", "CallerIpAddress", "CategoryValue", "Claims",
  "CorrelationId", "EventDataId", "HTTPRequest", "Hierarchy", "Level", "OperationId", "OperationNameValue", "Properties",
  "ResourceGroup", "ResourceId", "ResourceProviderValue", "SourceSystem", "SubscriptionId", "TenantId", "Type", "_ResourceId",
];
const DYNAMICS = ["Authorization_d", "Claims_d", "Properties_d"];
const columns = [
  ...TEXTS.map((name) => `${name}: string`), ...DYNAMICS.map((name) => `${name}: dynamic`),
  "TimeGenerated: datetime", "EventSubmissionTimestamp: datetime",
];
const table = Symbols.TableSymbol.From(`(${columns.join(", ")})`).WithName("AzureActivity");
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor3("Workspace", null, [table]));

const out = {};
for (const [name, query] of Object.entries(JSON.parse(require("fs").readFileSync(0, "utf8")))) {
  const code = KustoCode.ParseAndAnalyze(query, globals);
  const found = code.GetDiagnostics();
  const errors = [];
  for (let i = 0; i < found.Count; i++) {
    const one = found.getItem ? found.getItem(i) : found[i];
    errors.push(`${one.Severity}: ${one.Message} at ${query.slice(one.Start, one.Start + 40)}`);
  }
  const strings = [];
  Syntax.SyntaxElement.WalkElements(code.Syntax, (element) => {
    if (element.Kind === Syntax.SyntaxKind.StringLiteralExpression) strings.push(element.LiteralValue);
  });
  out[name] = { errors, strings };
}
process.stdout.write(JSON.stringify(out));

import { describe, expect, it } from "vitest";

import { toCsv, decodeBytes, filterRows, parseLines, type Row, parseCsv, parseLinesFile } from "./rows";

describe("the input", () => {
  it("is one text per line, without empty lines", () => {
    expect(parseLines(" one \r\n\n two\n")).toEqual({ texts: ["one", "two"], rowNumbers: [1, 3] });
  });

  it("is the column with a common name", () => {
    const csv = 'id,Review\n1,"Good, very good"\n2,"It said ""no"""\n';
    expect(parseCsv(csv)).toEqual({
      texts: ["Good, very good", 'It said "no"'],
      rowNumbers: [2, 3],
      columns: ["id", "Review"],
      column: 1,
      hasHeader: true,
    });
  });

  it("is the column with the longest texts if no name is common", () => {
    expect(parseCsv("1,a long sentence,x\n2,another sentence,y\n")).toEqual({
      texts: ["a long sentence", "another sentence"],
      rowNumbers: [1, 2],
      columns: ["1", "a long sentence", "x"],
      column: 1,
      hasHeader: false,
    });
  });

  it("is the chosen column", () => {
    const csv = "Betreff;Nachricht\nHallo;Das ist ein langer Satz\nAch;Und noch einer\n";
    expect(parseCsv(csv).texts).toEqual(["Nachricht", "Das ist ein langer Satz", "Und noch einer"]);
    expect(parseCsv(csv, { column: 0, hasHeader: true }).texts).toEqual(["Hallo", "Ach"]);
  });

  it("has row numbers that count empty rows", () => {
    expect(parseCsv("\nid;text\n1;a\n2;\n\n;\n3;b, c\n")).toMatchObject({ texts: ["a", "b, c"], rowNumbers: [3, 7] });
  });

  it("keeps quoted line breaks", () => {
    expect(parseCsv('text\n"one\ntwo"\n').texts).toEqual(["one\ntwo"]);
  });

  it("is rejected if a quote is never closed", () => {
    expect(() => parseCsv('text\nfine\n"never closed\nand\nso on\n')).toThrow(/^row 3: Quoted field unterminated/);
  });

  it("is rejected if a later quote closes it", () => {
    const rows = Array.from({ length: 330 }, (_, n) => `review ${n + 1},${n % 2}`);
    rows[19] = `"${rows[19]}`;
    rows[119] = '"he said ""well"" and left",0';
    expect(() => parseCsv(["text,label", ...rows].join("\n"))).toThrow(/^row 21: /);
    rows[119] = '", he said",0';
    expect(() => parseCsv(["text,label", ...rows].join("\n"))).toThrow(/^row 21 has 3 cells/);
  });

  it("is rejected if a text would be cut at a comma", () => {
    expect(() => parseCsv("text\nfine\nThe plot is thin, but I loved it\n")).toThrow(/^row 3 has 2 cells and the first row 1: put double quotes around texts that contain ","/);
    expect(parseCsv("text\nfine,,\n").texts).toEqual(["fine"]);
  });

  it("of a .txt file is one text per line, with commas and quotes", () => {
    const lines = 'Opinion\nThe plot is thin, but I loved it\n\nIt said "no\n';
    expect(parseLinesFile(lines).texts).toEqual(["Opinion", "The plot is thin, but I loved it", 'It said "no']);
    expect(parseLinesFile(lines, { column: 0, hasHeader: true })).toMatchObject({ rowNumbers: [2, 4], columns: ["Opinion"] });
  });

  it("may be empty", () => {
    expect(parseCsv("").texts).toEqual([]);
    expect(parseCsv("text\n").texts).toEqual([]);
  });

  it("may have any encoding that spreadsheets write", () => {
    const utf16 = new Uint8Array([0xff, 0xfe, ...Array.from("é", (letter) => [letter.charCodeAt(0), 0]).flat()]);
    const files = [new Uint8Array([0xef, 0xbb, 0xbf, 0xc3, 0xa9]), new Uint8Array([0xc3, 0xa9]), utf16, new Uint8Array([0xe9])];
    expect(files.map(decodeBytes)).toEqual(["é", "é", "é", "é"]);
  });
});

describe("the results", () => {
  const row: Row = { text: "Good", sentiment: "positive", confidence: 0.9, truncated: false, predictionId: "p", error: null };

  it("have a CSV row for each text, including failed ones", () => {
    const failed: Row = { ...row, text: " ", sentiment: null, confidence: null, predictionId: null, error: "Empty" };
    expect(toCsv([row, failed], [2, 4]).split("\r\n")).toEqual([
      "row,text,sentiment,confidence,truncated,prediction_id,error",
      "2,Good,positive,0.9,false,p,",
      '4," ",,,,,Empty',
    ]);
  });

  it("are filtered by outcome, word and confidence", () => {
    const rows = [row, { ...row, text: "Not good", confidence: 0.55 }, { ...row, text: "good?", sentiment: null, confidence: null, error: "x" }];
    const found = (outcome: string, word: string, under: number | null) => filterRows(rows, { outcome, word, under }).map(({ text }) => text);
    expect(found("all", " GOOD", null)).toEqual(["Good", "Not good", "good?"]);
    expect(found("positive", "", 0.6)).toEqual(["Not good"]);
    expect(found("failed", "", null)).toEqual(["good?"]);
    expect(found("all", "", 0.6)).toEqual(["Not good"]);
  });

  it("contain no formula that a spreadsheet would run", () => {
    expect(toCsv([{ ...row, text: '=HYPERLINK("http://x")' }], [1])).toContain("'=HYPERLINK");
  });
});

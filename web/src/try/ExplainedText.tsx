/** The text with the words that drove the decision, marked by color, underline and sign. */

import { Table } from "@mantine/core";

import type { Explanation } from "../api/client";
import { SIGNS, toneOf } from "../format";
import { mostImportantWords, type Segment, segmentsOf, directionOf } from "./segments";

const LISTED = 6;

export function ExplainedText({ text, explanation }: { text: string; explanation: Explanation }) {
  const listed = mostImportantWords(explanation.words, LISTED);
  const { sentiment } = explanation;
  const other = { positive: "negative", negative: "positive", neutral: "other labels" }[toneOf(sentiment)];
  return (
    <>
      <p className="explained" data-testid="explained">
        {segmentsOf(text, explanation).map((segment, index) => (
          <Marked key={index} segment={segment} sentiment={sentiment} />
        ))}
      </p>
      <p className="quiet legend">
        <mark className={`push ${directionOf(1, sentiment)} level-2`}>towards {sentiment}</mark>{" "}
        <mark className={`push ${directionOf(-1, sentiment)} level-2`}>towards {other}</mark>
      </p>
      {listed.length > 0 && (
        <details>
          <summary>Most important words</summary>
          <Table className="fit">
            <caption className="hidden">Words and their contribution to the log-odds of {sentiment}</caption>
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Word</Table.Th>
                <Table.Th scope="col">Log-odds of {sentiment}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {listed.map((word) => (
                <Table.Tr key={word.start}>
                  <Table.Td>{word.text}</Table.Td>
                  <Table.Td className="number">{signed(word.weight)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </details>
      )}
    </>
  );
}

function Marked({ segment, sentiment }: { segment: Segment; sentiment: string }) {
  if (!segment.read) return <span className="unread">{segment.text}</span>;
  if (segment.weight === null || segment.level === 0) return <>{segment.text}</>;
  return (
    <mark className={`push ${directionOf(segment.weight, sentiment)} level-${segment.level}`} title={`${signed(segment.weight)} to the log-odds of ${sentiment}`}>
      {segment.text}
    </mark>
  );
}

const signed = (weight: number): string => `${weight < 0 ? SIGNS.negative : SIGNS.positive}${Math.abs(weight).toFixed(2)}`;

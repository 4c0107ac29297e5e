"""Training examples: queries with what is known of their passages."""

from .contracts import Pairs, Triplets, batched_rows
from .core.batches import Query
from .tables import Passages, read_queries


def read_examples(pairs: Pairs, triplets: Triplets, passages: Passages) -> list[Query]:
    """Read the training queries with their positives and negatives by corpus row."""
    asked = {query.query_id: query for query in read_queries(pairs, passages, {"train"})}
    mined: dict[str, Query] = {}
    for query_id, passage_id, negative_ids, unknown_ids, score, negative_scores in batched_rows(
        triplets.read(), Triplets.columns.names
    ):
        answers = {answer.row: answer.masked for answer in asked[query_id].answers}
        row = passages.rows[passage_id]
        query = asked[query_id]
        known = mined.get(query_id, Query(query.text, {}, weight=query.weight))
        positives = {**known.positives, row: answers[row]}
        own = [passages.rows[name] for name in negative_ids]
        negatives = [*known.negatives, *own]
        scored = dict(zip([row, *own], [score, *negative_scores], strict=True))
        # A document's other passages are judged with it, but may say nothing of the query.
        unknown = known.unknown | {passages.rows[name] for name in unknown_ids} | answers.keys()
        mined[query_id] = Query(
            known.text,
            positives,
            tuple(dict.fromkeys(negatives)),
            unknown - positives.keys(),
            known.weight,
            {**known.teacher_scores, **scored},
        )
    return list(mined.values())

"""Recurrent networks."""

from .base import FEW, L, SOME, kind, network, stirred


@kind
def recurrent():
    ways = SOME + ["float16", "old-quantizer", "old-dynamic", "variables"]
    options = {
        "plain": {}, "sequences": dict(return_sequences=True), "backwards": dict(go_backwards=True),
        "unrolled": dict(unroll=True), "stateful": dict(stateful=True), "state": dict(return_state=True),
        "unbiased": dict(use_bias=False), "relu": dict(activation="relu"), "major": dict(time_major=True),
    }
    for name, cell in [("lstm", L.LSTM), ("gru", L.GRU), ("rnn", L.SimpleRNN)]:
        for tag, o in options.items():
            yield f"{name}-{tag}", lambda: stirred(network((5, 4), cell(6, **o))), ways if tag in ("plain", "unrolled", "stateful") else SOME
        yield f"{name}-batches", lambda: network((5, 4), cell(6), batch=None), SOME
        yield f"{name}-batch3", lambda: network((5, 4), cell(6), batch=3), FEW
        yield f"{name}-steps", lambda: network((None, 4), cell(6)), SOME
        yield f"{name}-mask", lambda: network((5, 4), L.Masking(0.5), cell(6, return_sequences=True)), FEW
        yield f"{name}-stacked", lambda: network((5, 4), cell(6, return_sequences=True), cell(3), L.Dense(2)), ways
        yield f"{name}-text", lambda: network((7,), L.Embedding(8, 4, mask_zero=True), cell(6), dtype="int32"), SOME
        for mode in ("concat", "sum", "ave", "mul"):
            both = lambda: network((5, 4), L.Bidirectional(cell(6, return_sequences=mode != "ave"), merge_mode=mode))
            yield f"{name}-both-{mode}", both, ways if mode == "concat" else FEW
        yield f"{name}-distributed", lambda: network((3, 5, 4), L.TimeDistributed(cell(6))), FEW
    yield "gru-before", lambda: stirred(network((5, 4), L.GRU(6, reset_after=False))), SOME
    yield "lstm-hard", lambda: network((5, 4), L.LSTM(6, recurrent_activation="hard_sigmoid")), SOME
    yield "lstm-cells", lambda: network((5, 4), L.RNN([L.LSTMCell(6), L.LSTMCell(5)])), SOME
    yield "lstm-cells-unrolled", lambda: network((5, 4), L.RNN([L.LSTMCell(6), L.GRUCell(5)], unroll=True)), SOME
    yield "conv1d-lstm", lambda: network((4, 8, 2), L.ConvLSTM1D(3, 3)), SOME
    yield "conv2d-lstm", lambda: network((3, 6, 6, 2), L.ConvLSTM2D(3, 3, padding="same", return_sequences=True)), SOME
    yield "conv2d-lstm-both", lambda: network((3, 6, 6, 2), L.Bidirectional(L.ConvLSTM2D(2, 3))), FEW
    yield "conv3d-lstm", lambda: network((3, 4, 4, 4, 2), L.ConvLSTM3D(2, 3)), FEW

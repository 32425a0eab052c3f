# The clocks of two points: by how much is B ahead of A, and how much faster is it (offset and skew, RFC 2330 section
# 10.1; skew is called drift here, as in the summary)?
#
# A packet that is seen at A and then at B has a difference of times, B less A, of its delay plus the offset; one that
# is seen at B first, of the offset less its delay. No delay is negative. So the offset, a straight line over time, runs
# under all differences of the first kind and over those of the second. Of all lines the one is taken that leaves the
# widest gap between both, and its height is the middle: the least delays of both directions are taken to be equal. With
# packets of one direction only, the line touches the least differences; the offset cannot be known then.
#
# Only the lowest differences matter. Time is divided into slots, which become wider as time goes on; each slot keeps
# the lowest one above the line as it is known so far.

from libc.math cimport fabs
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

cdef enum:
    CLOCK_SLOTS = 4096
    FIRST_SLOT = 1 << 16        # ns
    DRIFT_MAX = 500             # ppm: NTP slews a clock no faster (RFC 5905 section 11.3), and crystals are better
    DRIFT_STEPS = 64            # each takes a third off what the drift may be: 500 ppm to under 1e-8 ppm
    DRIFT_SPAN = 1_000_000_000  # ns: over a shorter time, drift is less than what delays vary by

cdef enum:                      # LineKind: whose differences, each measured so that its least one counts
    FROM_A
    FROM_B
    MAYBE_FROM_A                # of ways of which nothing tells from where they come
    MAYBE_FROM_B
    LINE_KINDS

cdef enum:                      # ClockBasis
    CLOCK_UNKNOWN               # no packet was seen at both points
    CLOCK_ONE_WAY
    CLOCK_TWO_WAYS

cdef struct Low:
    int64_t time                # the middle of both times, after `origin`, ns
    int64_t apart               # B less A, with its sign turned in lines of packets from B
    bint there

cdef struct Lows:
    Low at[CLOCK_SLOTS]
    uint64_t n                  # packets
    double time                 # the sum of their times

cdef struct Line:
    double offset               # ns at `origin`
    double drift                # ns a ns

cdef struct CommonClock:        # what the clocks of both points are turned to: the middle of them
    Line line
    int64_t origin              # ns
    uint32_t basis              # ClockBasis
    uint32_t kind               # of one way: FROM_A, FROM_B, or MAYBE_
    bint drifts                 # the drift was estimated; else it is taken to be 0
    bint together               # a packet and its answer pass the points in the same order
    double gap                  # between the lines of both directions: the least round trip between the points, ns

cdef struct Between:            # the offset of the clocks lies between how much later at B these were seen:
    int64_t least               # ns, a packet from B,
    int64_t most                # ... and one from A
    int64_t time

cdef struct ClockSamples:
    Lows lows[LINE_KINDS]
    uint64_t slot               # ns
    int64_t origin
    bint begun
    double tilt                 # the drift as far as it is known
    # Answers that say of a way what those before them have said, and those that say the opposite: direction.pxd
    uint64_t agreed
    uint64_t contradicted
    bint ignores_answers
    Between last                # the last packet and its answer, of any flow

cdef inline double height(const Lows* l, double drift) noexcept nogil:
    """The height at the origin of the highest line of this drift under all differences."""
    cdef double least = 0, h
    cdef bint there = False
    cdef int i
    for i in range(CLOCK_SLOTS):
        if l.at[i].there:
            h = <double>l.at[i].apart - drift * <double>l.at[i].time
            if not there or h < least:
                least = h
                there = True
    return least

cdef inline double worth(const Lows* a, const Lows* b, double drift) noexcept nogil:
    """What the best drift has most of: the gap between both lines or, without `b`, the height of the one line in the
    middle of the packets (Moon, Skelly and Towsley: Estimation and removal of clock skew, 1999)."""
    if b == NULL:
        return height(a, drift) + drift * a.time / <double>a.n
    return height(a, drift) + height(b, -drift)

cdef inline double best_drift(const Lows* a, const Lows* b) noexcept nogil:
    """The drift that is worth most. The worth has one maximum, because it is the least of straight lines."""
    cdef double low = -DRIFT_MAX * 1e-6, high = DRIFT_MAX * 1e-6, third
    cdef int _i
    for _i in range(DRIFT_STEPS):
        third = (high - low) / 3
        if worth(a, b, low + third) < worth(a, b, high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2

cdef inline double span_of(const Lows* l) noexcept nogil:
    cdef int64_t first = 0, last = 0
    cdef bint there = False
    cdef int i
    for i in range(CLOCK_SLOTS):
        if l.at[i].there:
            first = min(first, l.at[i].time) if there else l.at[i].time
            last = max(last, l.at[i].time) if there else l.at[i].time
            there = True
    return <double>last - <double>first

cdef inline double told_drift(const Lows* a, const Lows* b, bint* told) noexcept nogil:
    """The best drift, or 0 where the packets do not tell it: they are too close together, or any drift does."""
    cdef double drift = 0
    told[0] = span_of(a) >= DRIFT_SPAN and (b == NULL or span_of(b) >= DRIFT_SPAN)
    if told[0]:
        drift = best_drift(a, b)
        told[0] = fabs(drift) < DRIFT_MAX * 0.999e-6
    return drift if told[0] else 0

cdef inline int64_t after(int64_t time, int64_t than) noexcept nogil:
    """How much later a time is; the times of a file may be any."""
    return <int64_t>(<uint64_t>time - <uint64_t>than)

cdef inline void keep_low(Low* to, const Low* low, double tilt) noexcept nogil:
    """Keep the lower one of two differences above the line."""
    if low.there and (not to.there or <double>low.apart - tilt * <double>low.time <
                      <double>to.apart - tilt * <double>to.time):
        to[0] = low[0]

cdef inline double tilt_of(const ClockSamples* c, int kind) noexcept nogil:
    return -c.tilt if kind & 1 else c.tilt

cdef inline void widen_slots(ClockSamples* c) noexcept nogil:
    """Make slots twice as wide, after asking those there are what the drift is."""
    cdef Lows* lows
    cdef int kind, i
    cdef bint told
    if c.lows[FROM_A].n and c.lows[FROM_B].n:
        c.tilt = told_drift(&c.lows[FROM_A], &c.lows[FROM_B], &told)
    for kind in range(LINE_KINDS):
        lows = &c.lows[kind]
        for i in range(CLOCK_SLOTS):
            if i & 1:
                keep_low(&lows.at[i >> 1], &lows.at[i], tilt_of(c, kind))
            else:
                lows.at[i >> 1] = lows.at[i]
        memset(&lows.at[CLOCK_SLOTS >> 1], 0, sizeof(lows.at) // 2)
    c.slot *= 2

cdef inline void add_low(ClockSamples* c, uint32_t kind, int64_t time, int64_t apart) noexcept nogil:
    """Add a packet that was seen at both points: the middle of both times, and how much later it was at B."""
    cdef Low low
    if not c.begun:
        c.begun = True
        c.origin = time
        c.slot = FIRST_SLOT
    # A packet earlier than the first one goes to the first slot; its own time is kept.
    low.time = after(time, c.origin)
    low.apart = -apart if kind & 1 else apart
    low.there = True
    while low.time > 0 and <uint64_t>low.time // c.slot >= CLOCK_SLOTS:
        widen_slots(c)
    c.lows[kind].n += 1
    c.lows[kind].time += <double>low.time
    keep_low(&c.lows[kind].at[<uint64_t>low.time // c.slot if low.time > 0 else 0], &low, tilt_of(c, kind))

cdef inline uint32_t likely_kind(const ClockSamples* c) noexcept nogil:
    """Where no packet tells which point is first: the one that is first by the clocks as they are."""
    return MAYBE_FROM_A if height(&c.lows[MAYBE_FROM_A], 0) >= height(&c.lows[MAYBE_FROM_B], 0) else MAYBE_FROM_B

cdef inline void estimate_one_way(ClockSamples* c, CommonClock* to, uint32_t kind) noexcept nogil:
    """Estimate from all packets: those of which nothing tells from where they come do so from where the others do."""
    cdef Lows* lows = &c.lows[kind]
    cdef const Lows* others = &c.lows[kind & 1 | MAYBE_FROM_A]
    cdef double drift
    cdef int i
    for i in range(CLOCK_SLOTS):
        keep_low(&lows.at[i], &others.at[i], tilt_of(c, kind))
    drift = told_drift(lows, NULL, &to.drifts)
    to.basis = CLOCK_ONE_WAY
    to.kind = kind
    to.line.drift = -drift if kind & 1 else drift
    to.line.offset = -height(lows, drift) if kind & 1 else height(lows, drift)

cdef inline void estimate_two_ways(const ClockSamples* c, CommonClock* to) noexcept nogil:
    cdef const Lows* a = &c.lows[FROM_A]
    cdef const Lows* b = &c.lows[FROM_B]
    to.basis = CLOCK_TWO_WAYS
    to.line.drift = told_drift(a, b, &to.drifts)
    to.line.offset = (height(a, to.line.drift) - height(b, -to.line.drift)) / 2
    to.gap = worth(a, b, to.line.drift)

cdef inline void estimate_clock(ClockSamples* c, CommonClock* to) noexcept nogil:
    """Estimate what the clocks say of each other from all packets that were seen at both points."""
    cdef uint64_t a = c.lows[FROM_A].n, b = c.lows[FROM_B].n
    memset(to, 0, sizeof(CommonClock))
    to.origin = c.origin
    if a and b:
        estimate_two_ways(c, to)
    elif a or b:
        estimate_one_way(c, to, FROM_A if a else FROM_B)
    elif c.begun:
        estimate_one_way(c, to, likely_kind(c))
    to.together = to.basis == CLOCK_ONE_WAY and (to.kind >= MAYBE_FROM_A or c.ignores_answers)

cdef inline int64_t rounded(double ns) noexcept nogil:
    """As llround() does, which is a call and a tenth of a walk."""
    return <int64_t>(ns + (0.5 if ns >= 0 else -0.5))

cdef inline int64_t common_time(const CommonClock* c, uint32_t point, int64_t time) noexcept nogil:
    """A time of the clock of a point, by the common clock."""
    cdef double half = (c.line.offset + c.line.drift * <double>after(time, c.origin)) / 2
    cdef double ahead = half / (1 + c.line.drift / 2) if point else -half / (1 - c.line.drift / 2)
    return after(time, rounded(ahead))

#include "png_layout.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "deflate.hpp"
#include "png_order.hpp"
#include "row_filter.hpp"

namespace chromapress {
namespace {

// libdeflate's level, or where it is 0, a parse of our own.
struct Coder {
  int level;
  Trials trials;
  [[nodiscard]] std::vector<std::uint8_t> operator()(std::span<const std::uint8_t> data) const {
    return level > 0 ? deflate(data, level) : deflate_small(data, trials);
  }
};

constexpr Coder level(int n) { return {n, {}}; }
constexpr Coder own(std::size_t depth, std::size_t passes, std::size_t long_match, std::size_t places = 48) {
  return {0, {depth, passes, long_match, places}};
}

// What effort buys.
struct Plan {
  std::size_t counted_rows;           // one in so many rows counts for the order of the palette
  std::size_t exchanges;              // tried for the order, for each pair of entries, in quarters
  std::size_t tried_pixels;           // about so many are deflated to choose a layout; 0: no choice
  bool wide;                          // whether 16 colours or fewer may take a byte each
  std::size_t finalists;              // of each kind of layout are tried again
  std::size_t written;                // of these are written whole
  Coder trial;                        // for the finalists
  Coder plain, filtered, repetitive;  // for the rows: unfiltered, filtered, and those in which much repeats itself
};

constexpr std::size_t kAll = 1 << 22;  // of most images; more would not change the choice
constexpr std::array<Plan, 9> kPlans = {
    {{8, 1, 0, false, 0, 1, level(1), level(6), level(1), level(5)},
     {8, 1, 1 << 13, false, 1, 1, own(1, 1, 32, 16), level(7), own(1, 1, 32, 24), own(2, 1, 32, 24)},
     {4, 2, 1 << 13, true, 1, 1, own(1, 1, 64, 16), own(2, 1, 64), own(1, 1, 64), own(6, 1, 32)},
     {2, 4, 3 << 12, true, 1, 1, own(2, 1, 64), own(6, 1, 64), own(2, 1, 64), own(16, 1, 48)},
     {2, 8, 3 << 13, true, 1, 1, own(6, 1, 48), own(14, 1, 96), own(3, 1, 96), own(80, 1, 64)},
     {1, 16, 1 << 16, true, 1, 1, own(6, 1, 48), own(48, 2, 128), own(12, 2, 128), own(100, 2, 128)},
     {1, 32, 1 << 16, true, 1, 2, own(6, 1, 64), own(64, 2, 192), own(24, 2, 192), own(200, 2, 192)},
     {1, 64, kAll, true, 2, 2, own(12, 1, 64), own(100, 2, 258), own(48, 2, 258), own(200, 2, 258)},
     {1, 256, kAll, true, 3, 2, own(24, 1, 96), own(400, 4, 258, 128), own(200, 4, 258, 128), own(1000, 4, 258, 128)}}};

// Images that are so small that more can be tried: pixels.
constexpr std::size_t kMedium = 1 << 18, kSmall = 1 << 16, kTiny = 1 << 13;
// Those beside which a few trials cost nothing, and how much is tried of them.
constexpr std::size_t kLarge = 1 << 20, kTriedOfLarge = 1 << 16;

struct Choice {
  Order order;
  Format format;
  Filtering filtering;
  std::size_t size = 0;
};

// Blocks of rows, one in `share`.
std::vector<std::uint8_t> some_rows(std::span<const std::uint8_t> indices, std::size_t width, std::size_t share) {
  constexpr std::size_t kBlock = 16;
  std::vector<std::uint8_t> result;
  for (std::size_t at = 0; at < indices.size(); at += kBlock * share * width) {
    const auto first = indices.begin() + static_cast<std::ptrdiff_t>(at);
    result.insert(result.end(), first,
                  first + static_cast<std::ptrdiff_t>(std::min(kBlock * width, indices.size() - at)));
  }
  return result;
}

class Chooser {
 public:
  Chooser(Indexed image, std::size_t width, const Plan& plan)
      : plan_(plan),
        width_(width),
        colors_(image.palette.size()),
        pixels_(image.indices.size()),
        indexed_(indexed_format(colors_)),
        small_(pixels_ <= kSmall),
        thorough_(small_ || plan.finalists > 1),
        most_(plan.finalists > 2),
        strict_(most_ && pixels_ > kMedium) {
    images_[0] = std::move(image);
  }

  Layout without_trials() {
    if (colors_ <= 16) return written({Order::given, indexed_, Filtering::none}, plan_.repetitive);
    if (colors_ <= 96) {
      arrange(Order::alternating);
      return written({Order::alternating, indexed_, Filtering::none}, plan_.plain);
    }
    arrange(Order::chained);
    const Choice plain{Order::chained, indexed_, Filtering::none}, sub{Order::chained, indexed_, Filtering::sub};
    if (pixels_ >= kLarge) {
      // The larger a photograph, the smoother, and the more repeats itself: all the more for the better coder.
      const std::size_t share = pixels_ / kTriedOfLarge;
      if (25 * level(1)(rows(plain, share)).size() < 26 * level(1)(rows(sub, share)).size()) {
        return written(plain, level(3));
      }
    }
    return written(sub, plan_.filtered);
  }

  Layout with_trials() {
    const std::size_t translucent = alpha_bytes(image(Order::given).palette);
    // Many entries that are not opaque are worth more among the others than the bytes of their alphas.
    const bool mixed = 8 * translucent > colors_;
    if (mixed || translucent == 0) arrange(Order::chained);
    if (translucent > 0 && (!mixed || thorough_)) arrange(Order::two_parts);
    if (thorough_) arrange(Order::lightness);
    arrange(Order::edge);

    const std::size_t few = std::clamp<std::size_t>(pixels_ / plan_.tried_pixels, 1, 24);
    const std::size_t share = (few + 2) / 3;
    const std::vector<std::uint8_t> sample = rows({Order::given, indexed_, Filtering::none}, few);
    const bool repetitive = 5 * deflate(sample, 1).size() < sample.size();
    std::vector<std::vector<Choice>> finalists;  // of each kind
    for (const Format format : formats()) {
      // Within a kind, a fast coder is as good a judge as any.
      for (std::vector<Choice>& kind : kinds(format)) {
        if (kind.empty()) continue;
        const std::size_t seen = repetitive ? (few + 1) / 2 : few;
        kind = tried(std::move(kind), level(repetitive ? 6 : 1), seen);
        // Unless nearly all repeats itself, the order matters little to bytes that are not filtered.
        const bool alike =
            is_plain(kind[0]) && format.depth == 8 && 10 * seen * kind[0].size > pixels_ && pixels_ > kMedium;
        const std::size_t most = alike ? 1 : pixels_ <= kTiny ? 4 : plan_.finalists;
        kind.resize(std::min(most, kind.size()));
        drop_far(kind, kind[0].size);
        finalists.push_back(std::move(kind));
      }
    }
    // Between kinds it is not: the better a coder is at matches, the more it favours what is not filtered. But few rows
    // do not tell how much repeats itself in all.
    Coder trial_coder = adapted(plan_.trial, 8);
    if (strict_ && !repetitive) trial_coder.trials.depth /= 2;
    // In a part of the rows, headers weigh more than in all.
    trial_coder.trials.headers = share == 1;
    if (share < few && !repetitive) {
      for (std::vector<Choice>& kind : finalists) kind = tried(std::move(kind), trial_coder, few);
      const std::size_t least = least_of(finalists);
      for (std::vector<Choice>& kind : finalists) drop_far(kind, least);
      std::erase_if(finalists, [](const std::vector<Choice>& kind) { return kind.empty(); });
    }
    const bool judged = (finalists.size() == 1 && finalists[0].size() == 1) || (repetitive && share > 4);
    const std::vector<Choice> best =
        likeliest(judged ? all_of(finalists) : tried_by_kind(std::move(finalists), trial_coder, share));
    Layout smallest;
    for (const Choice& c : best) {
      Coder coder = repetitive ? plan_.repetitive
                               : adapted(small_        ? plan_.repetitive
                                         : is_plain(c) ? plan_.plain
                                                       : plan_.filtered,
                                         c.format.depth);
      if (most_ && pixels_ <= kMedium) coder.trials.passes *= small_ ? 4 : 2;
      Layout layout = written(c, coder);
      if (smallest.stream.empty() || size_of(layout) < size_of(smallest)) smallest = std::move(layout);
    }
    return smallest;
  }

 private:
  // Among many colours few matches are long; in packed rows there are half as many bytes.
  [[nodiscard]] Coder adapted(Coder coder, unsigned depth) const {
    if (colors_ > 96) coder.trials.depth = (coder.trials.depth + 1) / 2;
    if (depth < 8) coder.trials.depth *= 2;
    return coder;
  }

  [[nodiscard]] std::vector<Format> formats() const {
    std::vector<Format> result = {indexed_};
    if (indexed_.depth == 4 && (plan_.wide || thorough_)) result.push_back({ColorType::indexed, 8});
    // Greys are in the best order as they are. Other colours take more bytes each, which pays where a palette is a good
    // part of the file.
    const Format direct = direct_format(image(Order::given).palette);
    const std::size_t most = plan_.finalists > 1 || direct.type == ColorType::grey_alpha ? kSmall : kTiny;
    if (direct.type == ColorType::grey || pixels_ <= most) result.push_back(direct);
    return result;
  }

  // What may be chosen: kinds between which only a good coder can decide.
  [[nodiscard]] std::array<std::vector<Choice>, 4> kinds(Format format) const {
    std::array<std::vector<Choice>, 4> result;
    auto& [plain, sub, filtered, matched] = result;
    const unsigned depth = format.depth;
    for (const Order order : kOrders) {
      if (image(order).indices.empty()) continue;
      const auto add = [order, format](std::vector<Choice>& kind, std::initializer_list<Filtering> filterings) {
        for (const Filtering f : filterings) kind.push_back({order, format, f});
      };
      if (format.type != ColorType::indexed) {
        add(plain, {Filtering::none});
        add(filtered, {Filtering::sub, Filtering::up, Filtering::average, Filtering::paeth, Filtering::least_sum,
                       Filtering::least_entropy});
        if (most_) add(filtered, {Filtering::pair_entropy});
        if (most_ && pixels_ <= kMedium) add(matched, {Filtering::fewest_pairs, Filtering::shortest});
        break;  // Only the given order: samples have none.
      }
      // Of single bytes, Huffman's codes do not see the order, but the lists of their lengths do.
      if (order == Order::edge || (order != Order::given && (depth < 8 || most_))) add(plain, {Filtering::none});
      if (order == Order::edge) continue;
      add(depth < 8 ? filtered : sub, {Filtering::sub});
      add(filtered, {Filtering::least_entropy});
      // map_rate_distortion writes for one of these filters, in its own order.
      if (order == Order::given || thorough_) add(filtered, {Filtering::paeth});
      if (order != Order::given || thorough_) add(filtered, {Filtering::up});
      if (thorough_) add(filtered, {Filtering::least_sum});
      if (!most_) continue;
      add(filtered, {Filtering::pair_entropy});
      if (pixels_ <= kMedium) add(matched, {Filtering::fewest_pairs, Filtering::shortest});
    }
    return result;
  }

  // So near to the best one in a trial that it may be better.
  [[nodiscard]] bool is_near(const Choice& c, std::size_t least) const {
    const std::size_t share = strict_ ? 32 : 24;
    return share * c.size <= (share + 1) * least;
  }
  static bool is_plain(const Choice& c) { return c.filtering == Filtering::none; }
  static std::size_t palette_bytes_in(Format format, std::span<const Rgba> palette) {
    return format.type == ColorType::indexed ? palette_bytes(palette) : 0;
  }
  static std::size_t size_of(const Layout& layout) {
    return layout.stream.size() + palette_bytes_in(layout.format, layout.palette);
  }

  [[nodiscard]] const Indexed& image(Order order) const { return images_[static_cast<std::size_t>(order)]; }

  void arrange(Order order) {
    const std::size_t exchanges =
        std::min(plan_.exchanges * colors_ * colors_ / 4, (std::size_t{1} << 14) + plan_.exchanges * pixels_ / 8);
    const Indexed& given = image(Order::given);
    images_[static_cast<std::size_t>(order)] =
        reordered(given, entries_in(order, given, width_, plan_.counted_rows, exchanges));
  }

  [[nodiscard]] std::vector<std::uint8_t> rows(const Choice& choice, std::size_t share) const {
    const auto& [palette, indices] = image(choice.order);
    std::span<const std::uint8_t> data = indices;
    std::vector<std::uint8_t> some, packed;
    if (share > 1) data = some = some_rows(data, width_, share);
    if (choice.format != Format{ColorType::indexed, 8}) data = packed = pack(data, width_, palette, choice.format);
    return filter_rows(data, row_bytes(width_, choice.format), choice.filtering, pixel_bytes(choice.format));
  }

  [[nodiscard]] std::vector<Choice> tried(std::vector<Choice> choices, const Coder& coder, std::size_t share) const {
    for (Choice& c : choices) {
      c.size = coder(rows(c, share)).size() + palette_bytes_in(c.format, image(c.order).palette) / share;
      // Few rows flatter one filter for all: in more, others pay sooner.
      if (share > 1 && c.filtering == Filtering::sub) c.size += c.size / 64;
    }
    return sorted(std::move(choices));
  }

  // Of each kind the first one, and the others where that is near the best.
  [[nodiscard]] std::vector<Choice> tried_by_kind(std::vector<std::vector<Choice>> kinds, const Coder& coder,
                                                  std::size_t share) const {
    for (std::vector<Choice>& kind : kinds) kind[0] = tried({kind[0]}, coder, share)[0];
    const std::size_t least = least_of(kinds);
    for (std::vector<Choice>& kind : kinds) {
      const std::vector<Choice> others(kind.begin() + 1, kind.end());
      kind.resize(1);
      if (!is_near(kind[0], least)) continue;
      for (const Choice& c : tried(others, coder, share)) kind.push_back(c);
    }
    return all_of(kinds);
  }

  // Those that may be the smallest when written whole.
  [[nodiscard]] std::vector<Choice> likeliest(std::vector<Choice> choices) const {
    const auto may_be = [&](const Choice& c) {
      if (!strict_) return is_near(c, choices[0].size);
      // The better the coder, the better what is not filtered; among the others, and beside a thorough trial, little
      // changes.
      const std::size_t share = is_plain(c) != is_plain(choices[0]) ? 64 : 256;
      return share * c.size <= (share + 1) * choices[0].size;
    };
    std::size_t last = std::min(plan_.written * (!most_ || strict_ ? 1 : small_ ? 4 : 2), choices.size());
    while (last > 1 && !may_be(choices[last - 1])) --last;
    if (plan_.written > 1) {
      const auto end = choices.begin() + static_cast<std::ptrdiff_t>(last),
                 plain = std::find_if(end, choices.end(), is_plain);
      if (plain != choices.end() && std::none_of(choices.begin(), end, is_plain) && may_be(*plain)) {
        choices[last++] = *plain;
      }
    }
    choices.resize(last);
    return choices;
  }

  static std::vector<Choice> all_of(const std::vector<std::vector<Choice>>& kinds) {
    std::vector<Choice> all;
    for (const std::vector<Choice>& kind : kinds) all.insert(all.end(), kind.begin(), kind.end());
    return sorted(std::move(all));
  }

  // Of the first of each kind.
  static std::size_t least_of(const std::vector<std::vector<Choice>>& kinds) {
    std::size_t least = kinds[0][0].size;
    for (const std::vector<Choice>& kind : kinds) least = std::min(least, kind[0].size);
    return least;
  }

  void drop_far(std::vector<Choice>& kind, std::size_t least) const {
    std::erase_if(kind, [this, least](const Choice& c) { return !is_near(c, least); });
  }

  static std::vector<Choice> sorted(std::vector<Choice> choices) {
    std::stable_sort(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) { return a.size < b.size; });
    return choices;
  }

  [[nodiscard]] Layout written(const Choice& choice, const Coder& coder) const {
    return {image(choice.order).palette, choice.format, coder(rows(choice, 1))};
  }

  const Plan& plan_;
  std::size_t width_, colors_, pixels_;
  Format indexed_;  // of the least depth
  bool small_;
  bool thorough_;  // whether all orders and one filter for all rows are tried
  bool most_;      // whether all filterings are
  bool strict_;    // whether that would take so long that fewer choices are tried again
  std::array<Indexed, kOrders.size()> images_;
};

}  // namespace

Layout lay_out(Indexed image, std::size_t width, int effort) {
  // What a small image costs is little whatever is tried.
  const std::size_t more = effort < 4 ? 0 : image.indices.size() <= kTiny ? 3 : 0;
  const Plan& plan = kPlans[std::min<std::size_t>(static_cast<std::size_t>(effort) + more, 9) - 1];
  Chooser chooser(std::move(image), width, plan);
  return plan.tried_pixels == 0 ? chooser.without_trials() : chooser.with_trials();
}

}  // namespace chromapress

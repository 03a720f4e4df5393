#include "aggregator/api/router.hpp"

#include <gtest/gtest.h>

namespace fw::api {
namespace {

Router make_router() {
  Router router;
  router.add({Method::get, "/api/v1/incidents", Access::person, 0, {}});
  router.add({Method::get, "/api/v1/incidents/{id}", Access::person, 0, {}});
  router.add({Method::get, "/api/v1/incidents/{id}/case", Access::person, 0, {}});
  router.add({Method::post, "/api/v1/incidents/{id}/take", Access::person, 0, {}});
  return router;
}

TEST(Router, matches_one_segment_as_id) {
  const Router router = make_router();
  EXPECT_EQ(router.match(Method::get, "/api/v1/incidents/INC-7").id, "INC-7");
  const Match found = router.match(Method::get, "/api/v1/incidents/INC-7/case");
  EXPECT_EQ(found.id, "INC-7");
  EXPECT_EQ(found.route->pattern, "/api/v1/incidents/{id}/case");
  EXPECT_EQ(router.match(Method::head, "/api/v1/incidents").route->pattern, "/api/v1/incidents");
}

TEST(Router, knows_no_other_paths) {
  const Router router = make_router();
  for (const auto* path : {"", "/", "/api/v1/incidents/", "/api/v1/incidents//case", "/api/v1/incidents/a/b/case", "/api/v1/incidents/INC-7/", "/api/v1/incidentsx"}) {
    const Match found = router.match(Method::get, path);
    EXPECT_EQ(found.route, nullptr) << path;
    EXPECT_EQ(found.allow, "") << path;
  }
}

TEST(Router, names_the_methods_of_a_path) {
  const Router router = make_router();
  EXPECT_EQ(router.match(Method::get, "/api/v1/incidents/INC-7/take").allow, "POST");
  EXPECT_EQ(router.match(Method::post, "/api/v1/incidents/INC-7").allow, "GET, HEAD");
}

TEST(Query, decodes_known_parameters) {
  const auto query = parse_query("since=a%2Bb&limit=5", {"limit", "since"});
  ASSERT_TRUE(query.has_value());
  EXPECT_EQ((*query)[0], (std::pair<std::string, std::string>{"since", "a+b"}));
  EXPECT_EQ((*query)[1], (std::pair<std::string, std::string>{"limit", "5"}));
  EXPECT_TRUE(parse_query("", {})->empty());
}

TEST(Query, refuses_the_rest) {
  EXPECT_EQ(parse_query("a=%zz", {"a"}).error().message(), "query: not well-formed");
  EXPECT_EQ(parse_query("b=1", {"a", "c"}).error().message(), "query: unknown parameter; known are a, c");
  EXPECT_EQ(parse_query("b=1", {}).error().message(), "query: unknown parameter; there are none here");
  EXPECT_EQ(parse_query("a=1&a=1", {"a"}).error().message(), "query: a is given twice");
}

}  // namespace
}  // namespace fw::api
